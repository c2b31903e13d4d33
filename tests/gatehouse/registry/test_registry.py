"""The list of what is served: what is refused at start, by the entry's name, and what is built of it."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessageChunk, AnyMessage, HumanMessage
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.tools import BaseTool, tool
from pydantic import BaseModel, ValidationError

from chains.registry import REGISTRY
from gatehouse.main import own_segments
from gatehouse.models.scripted.chat import ScriptedChatModel
from gatehouse.registry.building import Builder
from gatehouse.registry.checked import BadRegistry, checked, refuse_taken
from gatehouse.registry.entry import Entry, Parts, ServedEntry
from gatehouse.registry.shapes.saying import CannotBeSaid
from gatehouse.runs.sources.graphs.streaming_agent import StreamingAgent, TextInput
from gatehouse.runs.sources.serving import Serving
from gatehouse.tools.building import Resources

MODEL = ScriptedChatModel()
NOWHERE = Resources(None)  # type: ignore[arg-type]  # no database is asked


def served(*entries: Entry) -> Mapping[str, Serving]:
    """Return what is built of these entries."""
    return Builder(checked("mine:LIST", entries), Parts(MODEL), NOWHERE).build().runnables


def echo(_parts: Parts) -> Runnable[Any, Any]:
    return RunnableLambda(lambda request: request["input"])


@tool
def spell(word: str) -> str:
    """Spell a word."""
    return "-".join(word)


@tool
def count(word: str) -> int:
    """Count the letters of a word."""
    return len(word)


def entry(path: str = "/mine", description: str = "Mine.", **fields: Any) -> Entry:
    return Entry(path, fields.pop("factory", echo), description, **fields)


class TestCheck:
    @pytest.mark.parametrize("path", ["/a", "/my-chain", "/my_chain2", "/2", "/a/b"])
    def test_a_path_is_made_of_slashes_and_segments(self, path: str) -> None:
        assert checked("mine:LIST", [entry(path)]).entries[0].path == path

    @pytest.mark.parametrize(
        "path",
        [
            "",
            "/",
            "mine",
            "/Mine",
            "/a/",
            "//a",
            "/a b",
            "/-a",
            "/{x}",
            "/a?b",
            "/ä",
            "/a\n",
            "/.",
            "/a%2f",
        ],
    )
    def test_another_is_refused(self, path: str) -> None:
        with pytest.raises(BadRegistry) as refused:
            checked("mine:LIST", [entry(path)])
        assert repr(path) in str(refused.value)

    @pytest.mark.parametrize("name", ["api", "assets", "auth", "docs", "livez", "signin", "threads", "ws"])
    def test_a_path_of_gatehouse_itself_is_refused(self, name: str) -> None:
        with pytest.raises(BadRegistry, match=f"^mine:LIST: /{name}: Gatehouse itself"):
            refuse_taken(checked("mine:LIST", [entry(f"/{name}")]), own_segments())

    def test_a_path_that_is_there_twice_is_refused(self) -> None:
        with pytest.raises(BadRegistry, match=r"^mine:LIST: /mine: .*twice"):
            checked("mine:LIST", [entry(), entry("/other"), entry()])

    @pytest.mark.parametrize("description", ["", " ", "\n\t"])
    def test_a_missing_description_is_refused(self, description: str) -> None:
        with pytest.raises(BadRegistry, match=r"^mine:LIST: /mine: the description is missing"):
            checked("mine:LIST", [entry(description=description)])


class TestBuild:
    def test_factories_are_handed_the_parts(self) -> None:
        seen: list[Parts] = []

        def factory(parts: Parts) -> Runnable[Any, Any]:
            seen.append(parts)
            return echo(parts)

        runnables = served(entry(factory=factory), entry("/other"))
        assert seen[-1] == Parts(MODEL, [])
        assert list(runnables) == ["/mine", "/other"]
        assert runnables["/mine"].runnable.invoke({"input": "hello"}) == "hello"

    def test_each_gets_the_tools_of_its_entry(self) -> None:
        seen: list[list[str]] = []

        def factory(parts: Parts) -> Runnable[Any, Any]:
            seen.append([tool.name for tool in parts.tools])
            return echo(parts)

        entries = [entry("/a", factory=factory, tools=[spell]), entry("/b", factory=factory, tools=[count])]
        built = Builder(checked("mine:LIST", entries), Parts(MODEL), NOWHERE).build()
        assert seen == [["spell"], ["count"]] * 2  # once to read the types, and once to serve
        assert tuple(built.tools) == ("spell", "count")

    def test_a_tool_that_fails_is_named_with_its_entry(self) -> None:
        def weather(_resources: Resources) -> BaseTool:
            raise LookupError("no weather station")

        with pytest.raises(BadRegistry, match=r"^mine:LIST: /mine: tool weather: .*no weather station"):
            served(entry(tools=[weather]))

    def test_a_factory_that_fails_is_named(self) -> None:
        def factory(_parts: Parts) -> Runnable[Any, Any]:
            raise KeyError("PROMPT_FILE")

        with pytest.raises(
            BadRegistry, match=r"^mine:LIST: /mine: its factory failed: KeyError: 'PROMPT_FILE'"
        ):
            served(entry("/fine"), entry(factory=factory))

    def test_a_factory_that_returns_something_else_is_named(self) -> None:
        with pytest.raises(BadRegistry, match=r"^mine:LIST: /mine: its factory returned str, not a Runnable"):
            served(entry(factory=lambda _parts: "a chain"))

    async def test_an_agent_that_answers_with_a_message_streams_tokens(self) -> None:
        def factory(parts: Parts) -> Any:
            return create_agent(parts.model, [], name="bare")

        runnable = served(entry(factory=factory, output_type=AIMessageChunk))["/mine"].runnable
        assert isinstance(runnable, StreamingAgent)
        chunks = [chunk async for chunk in runnable.astream({"input": "[tokens 3]"})]
        assert [chunk.content for chunk in chunks if chunk.content] == ["t1", " t2", " t3"]
        assert all(isinstance(chunk, AIMessageChunk) for chunk in chunks)

    def test_every_entry_of_the_demonstration_can_be_built(self) -> None:
        assert list(served(*REGISTRY)) == [item.path for item in REGISTRY]


class TestScope:
    def test_is_the_runnable_s_own_by_default(self) -> None:
        assert entry("/mine").required_scope == "runnable:mine"

    def test_can_be_another(self) -> None:
        assert entry(scope="vault:open").required_scope == "vault:open"


class Asked(BaseModel):
    """Takes one text under another name."""

    question: str
    language: str = "en"


class Booked(BaseModel):
    """Takes what is no JSON by itself, and messages."""

    day: date
    messages: list[AnyMessage] = []


def read(**fields: Any) -> ServedEntry:
    """Return an entry with the shape of its runnable."""
    return checked("mine:LIST", [entry(**fields)]).entries[0]


class TestInput:
    def test_a_query_is_the_field_input(self) -> None:
        assert read().shape.said("hello") == {"input": "hello"}

    def test_or_the_only_required_field(self) -> None:
        assert read(input_type=Asked).shape.said("hello") == {"question": "hello"}

    def test_a_query_that_the_runnable_does_not_take_is_refused(self) -> None:
        with pytest.raises(ValidationError):
            read(input_type=TextInput).shape.typed({"input": ""})

    def test_an_input_of_several_required_fields_has_no_place_for_a_query(self) -> None:
        class Both(BaseModel):
            first: str
            second: str

        with pytest.raises(CannotBeSaid):
            read(input_type=Both).shape.said("hello")

    def test_arrives_typed(self) -> None:
        value = {"day": "2026-11-21", "messages": [{"type": "human", "content": "x"}]}
        assert read(input_type=Booked).shape.typed(value) == {
            "day": date(2026, 11, 21),
            "messages": [HumanMessage("x")],
        }

    def test_text_is_bounded(self) -> None:
        with pytest.raises(ValidationError):
            TextInput(input="x" * 100_001)
