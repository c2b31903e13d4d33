"""The options of `add_routes` that an entry takes, as LangServe's clients see them."""

import json
from collections.abc import Iterator
from typing import Annotated, Any, TypedDict

import httpx
import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompt_values import PromptValue
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import ConfigurableField, Runnable, RunnableConfig, RunnableLambda
from langgraph.graph.message import add_messages
from live_app import LiveApp, bearer, serving
from pydantic import BaseModel
from sse_frames import frames_in
from websockets.sync.client import connect

from gatehouse import BadRegistry, Entry, Parts
from gatehouse.registry.checked import checked
from gatehouse.registry.entry import Traced

PROMPT = ChatPromptTemplate.from_messages(
    [MessagesPlaceholder("history", optional=True), ("human", "{input}")]
)


class Listed(BaseModel):
    said: list[BaseMessage]


class Chatted(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


def add_one(number: int) -> int:
    return number + 1


def traced(_number: int, config: RunnableConfig) -> dict[str, Any]:
    metadata = config.get("metadata", {})
    return {
        "tags": config.get("tags"),
        "metadata": {name: metadata[name] for name in metadata if name != "claims"},
    }


def counting(_parts: Parts) -> Runnable[Any, Any]:
    return RunnableLambda(add_one)


def listed(_parts: Parts) -> Runnable[Any, Any]:
    return RunnableLambda(lambda value: len(value["said"]))


def message(prompt: PromptValue) -> AIMessage:
    return AIMessage(f"{len(prompt.to_messages())} messages")


def text(parts: Parts) -> Runnable[Any, Any]:
    return PROMPT | parts.model | StrOutputParser()


def greeting(_parts: Parts) -> Runnable[Any, Any]:
    prompt = ChatPromptTemplate.from_template("{input}").configurable_fields(
        messages=ConfigurableField(id="prompt")
    )
    return prompt | RunnableLambda(lambda value: value.to_string())


TAGS: tuple[Traced, ...] = ("tags",)
ENTRIES = [
    Entry("/told", counting, "Tells all.", include_callback_events=True),
    Entry("/untold", counting, "Tells the result.", disabled_endpoints=("batch", "config_hashes")),
    Entry("/few", counting, "Has two endpoints.", enabled_endpoints=("invoke", "playground")),
    Entry("/none", counting, "Has none.", enabled_endpoints=()),
    Entry("/team/desk", text, "Is of a team.", client_history=True),
    Entry("/tags", lambda _: RunnableLambda(traced), "Takes tags.", client_tracing=TAGS),
    Entry("/feedback-on", counting, "Wants feedback.", enable_feedback_endpoint=True),
    Entry("/listed", listed, "Counts messages.", input_type=Listed),
    Entry("/listed-history", listed, "Counts messages.", input_type=Listed, client_history=True),
    Entry("/greeting", greeting, "Has a field.", input_type=dict),
    Entry("/talk", lambda parts: PROMPT | parts.model, "Talks.", playground="chat"),
    Entry("/whole", lambda _: PROMPT | RunnableLambda(message), "Says it at once.", playground="chat"),
    Entry(
        "/agent", lambda parts: create_agent(parts.model, []), "Is an agent.", output_type=AIMessage,
        playground="chat",
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    folder = tmp_path_factory.mktemp("options")
    with serving(folder, ENTRIES, root_path="/proxy/gate/", unknown_configurable="ignore") as live:
        yield live


@pytest.fixture(scope="module")
def alice(served: LiveApp) -> Iterator[httpx.Client]:
    with served.client(bearer(portfolio_id="P-1")) as client:
        yield client


class TestCallbackEvents:
    def test_come_with_an_answer(self, alice: httpx.Client) -> None:
        answer = alice.post("/told/invoke", json={"input": 1}).json()
        started, ended = answer["callback_events"]
        assert (started["type"], started["inputs"]) == ("on_chain_start", 1)
        assert (ended["type"], ended["outputs"]) == ("on_chain_end", answer["output"])
        assert started["kwargs"]["name"] == "/told"

    def test_of_a_batch_are_each_input_s_own(self, alice: httpx.Client) -> None:
        events = alice.post("/told/batch", json={"inputs": [1, 5]}).json()["callback_events"]
        assert [[event["type"] for event in one] for one in events] == [
            ["on_chain_start", "on_chain_end"]
        ] * 2
        assert [one[1]["outputs"] for one in events] == [2, 6]

    def test_hold_nothing_of_the_server_s_config(self, alice: httpx.Client) -> None:
        started, _ = alice.post("/told/invoke", json={"input": 1}).json()["callback_events"]
        assert set(started["metadata"]) == {"__useragent", "__langserve_version", "__langserve_endpoint"}

    def test_are_not_sent_unless_an_entry_says_so(self, alice: httpx.Client) -> None:
        assert "callback_events" not in alice.post("/untold/invoke", json={"input": 1}).json()


class TestEndpoints:
    @pytest.mark.parametrize(
        ("path", "there"),
        [
            ("/untold", {"invoke", "stream", "stream_log", "stream_events"}),
            ("/few", {"invoke"}),
            ("/none", set()),
        ],
    )
    def test_are_those_of_the_entry(self, alice: httpx.Client, path: str, there: set[str]) -> None:
        found = {
            endpoint
            for endpoint in ("invoke", "batch", "stream", "stream_log", "stream_events")
            if alice.post(f"{path}/{endpoint}", json={"input": 1, "inputs": [1]}).status_code != 404
        }
        assert found == there
        assert alice.get(f"{path}/input_schema").status_code == (200 if path == "/untold" else 404)

    def test_the_playground_goes_with_the_log_that_it_reads(self, alice: httpx.Client) -> None:
        assert alice.get("/untold/playground/").status_code == 200
        assert alice.get("/few/playground/").status_code == 404
        home = alice.get("/").text
        assert "/untold/playground/" in home
        assert "/few/playground/" not in home
        assert ">few<" in home

    def test_of_the_run_api_stay(self, alice: httpx.Client) -> None:
        assert alice.post("/api/chat", json={"input": 1, "runnable": "none"}).json()["value"] == 2

    @pytest.mark.parametrize(
        ("options", "why"),
        [
            ({"enabled_endpoints": ("meow",)}, "enabled_endpoints names what there is not: meow"),
            ({"disabled_endpoints": ("meow",)}, "disabled_endpoints names what there is not: meow"),
            ({"disabled_endpoints": "invoke"}, "disabled_endpoints is a list of names, not one"),
            ({"enabled_endpoints": (), "disabled_endpoints": ()}, "not both"),
            ({"client_tracing": ("callbacks",)}, "client_tracing names what there is not: callbacks"),
        ],
    )
    def test_of_other_names_are_refused_at_the_start(self, options: dict[str, Any], why: str) -> None:
        with pytest.raises(BadRegistry, match=why):
            checked("mine", [Entry("/x", counting, "X.", **options)])


class TestNames:
    def test_a_run_is_named_by_its_path_and_a_model_by_its_provider_s_class(
        self, alice: httpx.Client
    ) -> None:
        answer = alice.post("/team/desk/stream_events", json={"input": {"input": "[say hi]"}})
        events = [frame.data for frame in frames_in(answer.text) if frame.event == "data"]
        names = {(event["event"], event["name"]) for event in events}
        assert ("on_chain_start", "/team/desk") in names
        assert ("on_chat_model_start", "ScriptedChatModel") in names

    def test_schemas_have_the_titles_of_the_runnable(self, alice: httpx.Client) -> None:
        assert alice.get("/untold/input_schema").json() == {"title": "add_one_input", "type": "integer"}
        assert alice.get("/untold/output_schema").json() == {"title": "add_one_output", "type": "integer"}
        assert alice.get("/tags/config_schema").json()["properties"].keys() == {"tags"}


class TestPathsOfSeveralSegments:
    QUESTION = {"query": "[say Bonds are loans.]", "runnable": "team/desk"}

    def test_are_served_on_langserve_s_routes(self, alice: httpx.Client) -> None:
        body = {"input": {"input": "[say hi]"}}
        assert alice.post("/team/desk/invoke", json=body).json()["output"] == "hi"
        frames = frames_in(alice.post("/team/desk/stream", json=body).text)
        assert "".join(frame.data for frame in frames if frame.event == "data") == "hi"
        assert alice.get("/team/desk/playground/").status_code == 200
        assert alice.get("/team/input_schema").status_code == 404

    def test_are_names_in_the_run_api(self, alice: httpx.Client) -> None:
        answer = alice.post("/api/chat", json=self.QUESTION).json()
        assert answer["response"] == "Bonds are loans."
        assert alice.get(f"/api/runs/{answer['run_id']}").json()["runnable"] == "team/desk"
        assert alice.get(f"/api/threads/{answer['thread_id']}").json()["runnable"] == "team/desk"
        streamed = frames_in(alice.post("/api/chat/stream", json=self.QUESTION).text)
        assert streamed[0].data["runnable"] == "team/desk"
        again = alice.post("/api/chat", json={"query": "[say so]", "thread_id": answer["thread_id"]}).json()
        assert again["response"] == "so"

    def test_are_names_on_the_websocket(self, served: LiveApp) -> None:
        url = f"ws://127.0.0.1:{served.port}/ws/chat/?events=run"
        with connect(url, additional_headers=bearer(), proxy=None) as socket:
            socket.send(json.dumps({"message": "[say hi]", "runnable": "team/desk"}))
            seen: list[dict[str, Any]] = []
            while not seen or seen[-1]["type"] != "end":
                seen.append(json.loads(socket.recv(10)))
        assert [event["content"] for event in seen if event["type"] == "complete"] == ["hi"]

    def test_are_parts_of_scopes(self, served: LiveApp) -> None:
        with served.client(bearer(scopes=["runnable:team/desk"])) as client:
            assert client.post("/api/chat", json=self.QUESTION).status_code == 200
            assert client.post("/team/desk/invoke", json={"input": {"input": "[say hi]"}}).status_code == 200
            assert client.post("/told/invoke", json={"input": 1}).status_code == 403


class TestAPrefixThatAProxyTakesOff:
    @pytest.mark.parametrize("path", ["/told", "/team/desk", "/talk"])
    def test_is_in_the_playground_s_addresses(self, alice: httpx.Client, path: str) -> None:
        page = alice.get(f"{path}/playground/").text
        assert f'src="/proxy/gate{path}/playground/assets/' in page
        assert alice.get(f"{path}/input_schema").status_code == 200
        assert alice.get(f"{path}/output_schema").status_code == 200


class TestTracing:
    def test_takes_what_the_entry_names(self, alice: httpx.Client) -> None:
        config = {"tags": ["mine"], "metadata": {"of": "the client"}}
        seen = alice.post("/tags/invoke", json={"input": 1, "config": config}).json()["output"]
        assert seen["tags"] == ["mine"]
        assert "of" not in seen["metadata"]
        assert seen["metadata"]["__langserve_endpoint"] == "invoke"


class TestFeedback:
    JUDGEMENT = {"run_id": "01900000-0000-7000-8000-000000000000", "key": "good", "score": 1}

    def test_says_so_where_langsmith_is_not_configured(self, alice: httpx.Client) -> None:
        answer = alice.post("/feedback-on/feedback", json=self.JUDGEMENT)
        assert answer.status_code == 400
        assert "LANGSMITH_API_KEY" in answer.json()["detail"]

    def test_is_not_there_by_default_without_langsmith(self, alice: httpx.Client) -> None:
        assert alice.post("/told/feedback", json=self.JUDGEMENT).status_code == 404


class TestMessagesOfTheirBaseClass:
    """A field of the type `list[BaseMessage]`, as in LangServe's example of a chat widget."""

    @pytest.mark.parametrize(
        ("path", "kind", "status"),
        [
            ("/listed", "human", 200),
            ("/listed", "ai", 422),
            ("/listed-history", "ai", 200),
            ("/listed-history", "tool", 200),
            ("/listed-history", "system", 422),
            ("/listed-history", "developer", 422),
        ],
    )
    def test_are_taken_by_whose_they_are(
        self, alice: httpx.Client, path: str, kind: str, status: int
    ) -> None:
        body = {"input": {"said": [{"type": kind, "content": "hi", "tool_call_id": "1"}]}}
        answer = alice.post(f"{path}/invoke", json=body)
        assert (answer.status_code, answer.json().get("output")) == (status, 1 if status == 200 else None)


class TestConfigurable:
    def test_ignores_what_the_runnable_has_no_field_for(self, alice: httpx.Client) -> None:
        body = {"input": {"input": "x"}, "config": {"configurable": {"other": 1}}}
        assert alice.post("/greeting/invoke", json=body).status_code == 200

    def test_refuses_a_field_that_it_has_and_the_entry_withholds(self, alice: httpx.Client) -> None:
        body = {"input": {"input": "x"}, "config": {"configurable": {"prompt": []}}}
        answer = alice.post("/greeting/invoke", json=body)
        assert answer.status_code == 422
        assert "prompt" in answer.json()["detail"]


class TestChatPlayground:
    """What LangServe's chat playground asks of the schemas, and what it sends in the second turn."""

    @pytest.mark.parametrize("path", ["/talk", "/whole", "/agent"])
    def test_supports_it(self, alice: httpx.Client, path: str) -> None:
        returned = alice.get(f"{path}/c/N4XyA/output_schema").json()  # where it asks for them
        assert returned == alice.get(f"{path}/output_schema").json()
        options = [resolved(option, returned) for option in returned.get("anyOf") or returned["oneOf"]]
        assert any("ai" in option["properties"]["type"].get("enum", ()) for option in options)
        taken = alice.get(f"{path}/c/N4XyA/input_schema").json()["properties"]
        assert {field["type"] for field in taken.values()} == {"string", "array"}

    @pytest.mark.parametrize("path", ["/talk", "/whole", "/agent"])
    def test_several_turns_are_answered(self, alice: httpx.Client, path: str) -> None:
        before = [
            {"type": "human", "content": "[say hi]"},
            {"type": "ai", "content": "hi", "runId": "01900000-0000-7000-8000-000000000000"},
        ]
        for history in ([], before):
            body = {"input": {"history": history, "input": "[say Bonds are loans.]"}}
            answer = alice.post(f"{path}/stream_log", json=body)
            patches = [frame.data for frame in frames_in(answer.text) if frame.event == "data"]
            finals = [
                change["value"]
                for patch in patches
                for change in patch["ops"]
                if change["path"] == "/final_output"
            ]
            assert finals[-1]["type"] == "AIMessageChunk"
            assert "error" not in {frame.event for frame in frames_in(answer.text)}


def resolved(option: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    name = option.get("$ref", "").rpartition("/")[2]
    return dict(document["$defs"][name]) if name else option
