"""What the corpus cannot say: who gives a context, what fails alike, and types that a factory makes anew."""

import asyncio
from collections.abc import Iterator
from enum import Enum
from typing import Any, cast

import httpx
import pytest
from corpus_case import PROMPT, SAID, Json
from corpus_further import agent_with_context, dataclass_of_messages, functional_of_messages
from corpus_graphs import add, own_state
from langchain.agents import create_agent
from langchain_core.output_parsers import PydanticOutputParser
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.runnables.history import RunnableWithMessageHistory
from langchain_core.tools import tool
from langgraph.graph import START, StateGraph
from live_app import LiveApp, bearer, serving
from pydantic import BaseModel
from sse_frames import frames_in
from test_entry_options import history_of

from gatehouse import Entry, Parts

pytestmark = pytest.mark.filterwarnings("ignore::langchain_core._api.deprecation.LangChainDeprecationWarning")


def agent_whose_tool_keeps_an_object(parts: Parts) -> Any:
    @tool(response_format="content_and_artifact")
    def find(query: str) -> tuple[str, Any]:
        """Find it."""
        return "found", object()

    return create_agent(parts.model, [find])


def state_of_the_factory(_parts: Parts) -> Any:
    """Return a graph whose types are others each time that it is built."""

    class Colour(Enum):
        RED = "red"

    class Paint(BaseModel):
        colour: Colour
        name: str = ""

    def name(state: Paint) -> Json:
        return {"name": state.colour.name}

    return StateGraph(Paint).add_node("name", name).add_edge(START, "name").compile()


class Greeting(Runnable):  # type: ignore[type-arg]  # as it is written where nobody checks types
    """Says nothing of its types."""

    def invoke(self, input: Any, config: Any = None, **_options: Any) -> str:
        return f"hi {input['input']}"


class Tongue(BaseModel):
    """A context that only a client can give."""

    language: str


class Verdict(BaseModel):
    good: bool


async def cancelled(_value: Any) -> str:
    raise asyncio.CancelledError


def remembering(parts: Parts) -> Any:
    return RunnableWithMessageHistory(
        PROMPT | parts.model, history_of, input_messages_key="input", history_messages_key="history"
    )


def parsing(parts: Parts) -> Any:
    return PROMPT | parts.model | PydanticOutputParser(pydantic_object=Verdict)


def in_a_language(parts: Parts) -> Any:
    return create_agent(parts.model, [], context_schema=Tongue)


def in_two_steps(parts: Parts) -> Any:
    return create_agent(parts.model, [add]).with_config(recursion_limit=2)


def streaming_a_graph(parts: Parts) -> Any:
    graph = create_agent(parts.model, [])

    async def words(value: Json) -> Any:
        asked: Any = {"messages": [("human", value["input"])]}
        async for chunk, _ in cast("Any", graph.astream(asked, stream_mode="messages")):
            yield chunk.text

    return RunnableLambda(words)


ENTRIES = [
    Entry("/whose", agent_with_context, "Tells whom it answers.", configurable=("tone",)),
    Entry("/spoken", in_a_language, "Is told a language.", configurable=("language",)),
    Entry("/object", agent_whose_tool_keeps_an_object, "Has a tool that keeps an object."),
    Entry("/paint", state_of_the_factory, "Has types of its factory's own."),
    Entry("/greeting", lambda _: Greeting(), "Says nothing of its types."),
    Entry("/remembering", remembering, "Keeps its own history."),
    Entry("/talk", dataclass_of_messages, "Has a dataclass for a state."),
    Entry("/parsing", parsing, "Parses what a model says."),
    Entry("/two-steps", in_two_steps, "Is given few steps."),
    Entry("/streaming", streaming_a_graph, "Streams a graph."),
    Entry("/joke", own_state, "Says nothing that is read."),
    Entry("/cancelled", lambda _: RunnableLambda(cancelled), "Cancels itself."),
    Entry("/tasks", functional_of_messages, "Is of LangGraph's functional API.", answering=("ask",)),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    with serving(tmp_path_factory.mktemp("met"), ENTRIES) as live:
        yield live


@pytest.fixture(scope="module")
def alice(served: LiveApp) -> Iterator[httpx.Client]:
    with served.client(bearer()) as client:
        yield client


def asked(client: httpx.Client, runnable: str, query: str, **more: Any) -> Json:
    answer = client.post("/api/chat", json={"runnable": runnable, "query": query, **more})
    return dict(answer.json())


class TestContext:
    def test_has_what_the_server_knows_and_what_a_client_may_configure(self, alice: httpx.Client) -> None:
        body = {"configurable": {"tone": "cold"}}
        assert asked(alice, "whose", "[tool whose {}]", **body)["response"] == "The results: alice, cold"

    @pytest.mark.parametrize("given", [{"user_id": "bob"}, {"language": "de"}])
    def test_takes_nothing_else_of_a_client(self, alice: httpx.Client, given: Json) -> None:
        assert asked(alice, "whose", "[tool whose {}]", configurable=given)["status"] == 422

    def test_that_nobody_gives_is_a_problem_that_names_it(self, alice: httpx.Client) -> None:
        problem = asked(alice, "spoken", "hi")
        assert problem["type"].endswith(":run-failed")
        assert problem["detail"].startswith("The graph's context needs language, which was not given")

    def test_that_a_client_gives_is_taken(self, alice: httpx.Client) -> None:
        assert asked(alice, "spoken", SAID, configurable={"language": "de"})["response"] == "Bonds are loans."


class TestInputs:
    @pytest.mark.parametrize("messages", [SAID, [SAID], [["user", SAID]], [["human", SAID]]])
    def test_of_messages_are_texts_and_pairs_too(self, alice: httpx.Client, messages: Any) -> None:
        answer = alice.post("/talk/invoke", json={"input": {"messages": messages}})
        assert answer.json()["output"]["messages"][-1]["content"] == "Bonds are loans."

    def test_of_types_that_the_factory_makes_anew_are_typed_as_what_is_served(
        self, alice: httpx.Client
    ) -> None:
        answer = alice.post("/paint/invoke", json={"input": {"colour": "red"}})
        assert answer.json()["output"] == {"colour": "red", "name": "RED"}

    def test_of_no_type_at_all_are_texts_too(self, alice: httpx.Client) -> None:
        assert asked(alice, "greeting", "you")["response"] == "hi you"

    def test_reach_what_keeps_its_own_history(self, alice: httpx.Client) -> None:
        assert asked(alice, "remembering", SAID)["response"] == "Bonds are loans."

    def test_come_after_their_thread_in_a_dataclass_too(self, alice: httpx.Client) -> None:
        first = asked(alice, "talk", SAID)
        assert asked(alice, "talk", SAID, thread_id=first["thread_id"])["response"] == "Bonds are loans."


def test_an_artifact_that_is_no_json_is_left_out(alice: httpx.Client) -> None:
    messages = [{"type": "human", "content": '[tool find {"query": "x"}] [say Found.]'}]
    output = alice.post("/object/invoke", json={"input": {"messages": messages}}).json()["output"]
    assert [one["content"] for one in output["messages"][2:]] == ["found", "Found."]
    assert output["messages"][2]["artifact"] is None


def test_a_graphs_own_step_limit_holds(alice: httpx.Client) -> None:
    problem = asked(alice, "two-steps", '[tool add {"a": 1, "b": 2}] [tool add {"a": 1, "b": 2}]')
    assert problem["type"].endswith(":step-limit")
    assert problem["detail"].startswith("The run took 2 steps")


def test_a_function_that_streams_a_graph_is_streamed(alice: httpx.Client) -> None:
    frames = frames_in(alice.post("/streaming/stream", json={"input": {"input": SAID}}).text)
    assert [frame.data for frame in frames if frame.event == "data" and frame.data] == [
        "Bonds",
        " are",
        " loans.",
    ]


def test_the_log_of_what_calls_nobody_back_has_a_beginning(alice: httpx.Client) -> None:
    frames = frames_in(alice.post("/greeting/stream_log", json={"input": {"input": "you"}}).text)
    first = frames[0].data["ops"][0]
    assert (first["path"], first["value"]["streamed_output"]) == ("", [])


def test_words_that_can_be_no_answer_are_not_told(alice: httpx.Client) -> None:
    """The answer is the JSON of its state, since that has no field whose text is read."""
    events = frames_in(alice.post("/api/chat/stream", json={"runnable": "joke", "query": "bonds"}).text)
    told = [event for event in events if event.type in ("token", "restart", "complete")]
    assert [event.type for event in told] == ["token", "complete"]
    assert told[0].data["content"] == told[1].data["content"]


LANGSERVE = ("stream", "stream_log", "stream_events")


@pytest.mark.parametrize(("runnable", "status"), [("parsing", 502), ("cancelled", 500)])
def test_a_failure_is_the_same_on_every_route(alice: httpx.Client, runnable: str, status: int) -> None:
    body = {"input": {"input": "[say no JSON]"}}
    assert alice.post(f"/{runnable}/invoke", json=body).status_code == status
    assert asked(alice, runnable, "[say no JSON]")["status"] == status
    for route in LANGSERVE:
        frame = frames_in(alice.post(f"/{runnable}/{route}", json=body).text)[-1]
        assert (frame.event, frame.data["status_code"]) == ("error", status), route


def test_tasks_of_the_functional_api_can_be_named_as_answering(alice: httpx.Client) -> None:
    events = frames_in(alice.post("/api/chat/stream", json={"runnable": "tasks", "query": SAID}).text)
    assert [event.data["content"] for event in events if event.type == "token"] == [
        "Bonds",
        " are",
        " loans.",
    ]
