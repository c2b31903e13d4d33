"""What an entry allows: a client's history and configuration, memory by a graph's own state, images, events."""

import base64
import json
import operator
import time
from collections.abc import Iterator
from typing import Annotated, Any, TypedDict

import httpx
import pytest
from langchain_core.chat_history import InMemoryChatMessageHistory
from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import ConfigurableField, ConfigurableFieldSpec, RunnableConfig, RunnableLambda
from langchain_core.runnables.history import RunnableWithMessageHistory
from langgraph.config import get_stream_writer
from langgraph.graph import START, MessagesState, StateGraph
from langserve import RemoteRunnable
from live_app import LiveApp, bearer, serving
from websockets.sync.client import connect

from gatehouse import BadRegistry, Entry, Parts
from gatehouse.registry.checked import checked

PROMPT = ChatPromptTemplate.from_messages(
    [MessagesPlaceholder("history", optional=True), ("human", "{input}")]
)
pytestmark = pytest.mark.filterwarnings("ignore::langchain_core._api.deprecation.LangChainDeprecationWarning")

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
HISTORIES: dict[str, InMemoryChatMessageHistory] = {}


def history_of(session_id: str) -> InMemoryChatMessageHistory:
    return HISTORIES.setdefault(session_id, InMemoryChatMessageHistory())


class Counted(TypedDict):
    said: Annotated[list[str], operator.add]
    question: str
    answer: str


def counting(parts: Parts) -> Any:
    """Return a graph that knows what it was asked before by its own state."""

    def count(state: Counted) -> dict[str, Any]:
        get_stream_writer()({"counted": len(state["said"]) + 1})
        said = [*state["said"], state["question"]]
        return {"said": [state["question"]], "answer": " ".join(said)}

    graph = StateGraph(Counted)
    graph.add_node("count", count)
    graph.add_edge(START, "count")
    return graph.compile(checkpointer=parts.checkpointer)


def told(messages: list[AnyMessage]) -> str:
    """Say what came, as types and contents."""
    return json.dumps([[message.type, message.content] for message in messages])


def state_told(_parts: Parts) -> Any:
    def answer(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage(told(state["messages"]))]}

    graph = StateGraph(MessagesState)
    graph.add_node("answer", answer)
    graph.add_edge(START, "answer")
    return graph.compile()


steps: list[str] = []


def step(state: MessagesState) -> dict[str, Any]:
    steps.append("again")
    return {"messages": []}


def looping(_parts: Parts) -> Any:
    """Return a graph that never comes to its end."""
    graph = StateGraph(MessagesState)
    graph.add_node("again", step)
    graph.add_edge(START, "again")
    graph.add_edge("again", "again")
    return graph.compile()


def tempered(_parts: Parts) -> Any:
    def answer(value: dict[str, Any], config: RunnableConfig) -> str:
        return json.dumps({name: config["configurable"].get(name) for name in ("temperature", "user_id")})

    class Tempered(RunnableLambda[Any, Any]):
        @property
        def config_specs(self) -> list[ConfigurableFieldSpec]:
            return [ConfigurableFieldSpec(id="temperature", annotation=float, default=0.5)]

    return Tempered(answer)


def styled(parts: Parts) -> Any:
    """Return a chain with an alternative of its prompt."""
    prompt = ChatPromptTemplate.from_template("[say plain] {input}").configurable_alternatives(
        ConfigurableField(id="style"),
        default_key="plain",
        loud=ChatPromptTemplate.from_template("[say LOUD] {input}"),
    )
    return prompt | parts.model | StrOutputParser()


def remembering(parts: Parts) -> Any:
    chain = PROMPT | parts.model | StrOutputParser()
    return RunnableWithMessageHistory(
        chain, history_of, input_messages_key="input", history_messages_key="history"
    )


ENTRIES = [
    Entry("/counting", counting, "Counts.", memory="state", shows_state=True),
    Entry("/told", lambda _: RunnableLambda(told), "Says what came."),
    Entry("/recalling", lambda _: RunnableLambda(told), "Says.", client_history=True, max_body="2MB"),
    Entry("/state-told", state_told, "Says what came."),
    Entry("/tempered", tempered, "Is configured.", configurable=["temperature"]),
    Entry("/styled", styled, "Has alternatives.", configurable=["style"]),
    Entry("/remembering", remembering, "Remembers by LangChain's own wrapper."),
    Entry("/looping", looping, "Never comes to its end."),
    Entry("/odd", lambda _: RunnableLambda(lambda value: {"of": object()}), "Returns what is no JSON."),
    Entry("/team/deep", lambda _: RunnableLambda(lambda value: "deep"), "Has a path of two segments."),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    with serving(tmp_path_factory.mktemp("options"), ENTRIES) as live:
        yield live


@pytest.fixture(scope="module")
def alice(served: LiveApp) -> Iterator[httpx.Client]:
    with served.client(bearer("alice")) as client:
        yield client


def ask(client: httpx.Client, runnable: str, **body: Any) -> dict[str, Any]:
    response = client.post("/api/chat", json={"runnable": runnable, **body})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


class TestStateMemory:
    def test_a_thread_goes_on_in_the_state_of_its_graph(self, alice: httpx.Client) -> None:
        first = ask(alice, "counting", query="a")
        second = ask(alice, "counting", query="b", thread_id=first["thread_id"])
        assert (first["response"], second["response"]) == ("a", "a b")
        assert second["value"]["said"] == ["a", "b"]

    def test_also_over_langserve_s_routes(self, alice: httpx.Client) -> None:
        thread_id = ask(alice, "counting", query="a")["thread_id"]
        for operation in ("invoke", "stream", "stream_events", "stream_log"):
            body = {"input": {"question": operation}, "config": {"configurable": {"thread_id": thread_id}}}
            assert alice.post(f"/counting/{operation}", json=body).status_code == 200
        said = ask(alice, "counting", query="z", thread_id=thread_id)["response"]
        assert said == "a invoke stream stream_events stream_log z"

    def test_an_edited_question_goes_on_from_the_state_before_it(self, alice: httpx.Client) -> None:
        thread_id = ask(alice, "counting", query="a")["thread_id"]
        ask(alice, "counting", query="b", thread_id=thread_id)
        ask(alice, "counting", query="c", thread_id=thread_id)
        items = alice.get(f"/api/threads/{thread_id}/messages").json()["items"]
        edited = next(item for item in items if item["content"] == "b")
        forked = alice.post(f"/api/threads/{thread_id}/fork", json={"message_id": edited["id"], "query": "B"})
        assert answer_of(alice, forked.json()["run_id"]) == "a B"
        assert ask(alice, "counting", query="d", thread_id=thread_id)["response"] == "a B d"
        first = alice.post(
            f"/api/threads/{thread_id}/fork", json={"message_id": items[0]["id"], "query": "A"}
        )
        assert answer_of(alice, first.json()["run_id"]) == "A"

    def test_threads_and_users_do_not_meet(self, served: LiveApp, alice: httpx.Client) -> None:
        thread_id = ask(alice, "counting", query="mine")["thread_id"]
        assert ask(alice, "counting", query="x")["response"] == "x"
        with served.client(bearer("bob")) as bob:
            body = {"input": {"question": "x"}, "config": {"configurable": {"thread_id": thread_id}}}
            assert bob.post("/counting/invoke", json=body).status_code == 404

    def test_goes_with_its_thread(self, served: LiveApp, alice: httpx.Client) -> None:
        thread_id = ask(alice, "counting", query="a")["thread_id"]
        ask(alice, "counting", query="b", thread_id=thread_id)
        assert states(served, thread_id) > 0
        alice.delete(f"/api/threads/{thread_id}")
        served.eventually(lambda: states(served, thread_id) == 0)

    def test_what_a_graph_tells_is_told(self, alice: httpx.Client) -> None:
        run_id = ask(alice, "counting", query="a")["run_id"]
        events = events_of(alice, run_id)
        assert [event["data"] for event in events if event["type"] == "custom"] == [{"counted": 1}]
        [state] = [event for event in events if event["type"] == "state"]
        assert (state["node"], state["data"]["answer"]) == ("count", "a")


def answer_of(client: httpx.Client, run_id: str) -> str:
    until = time.monotonic() + 20
    while (run := client.get(f"/api/runs/{run_id}").json())["state"] == "running":
        assert time.monotonic() < until
        time.sleep(0.02)
    return str(run["text"])


def events_of(client: httpx.Client, run_id: str) -> list[dict[str, Any]]:
    text = client.get(f"/api/runs/{run_id}/stream").text
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]


def states(served: LiveApp, thread_id: str) -> int:
    """Return how many checkpoints are kept of a thread."""
    checkpoints = served.services.runs.conductor.leftovers._checkpoints

    async def count() -> int:
        found = [item async for item in checkpoints.alist(None)]
        return sum(thread_id in item.config["configurable"]["thread_id"] for item in found)

    return served.call(count())


class TestMessages:
    @pytest.mark.parametrize("message", [{"type": "human"}, {"role": "user"}])
    def test_come_in_either_form_with_blocks(self, alice: httpx.Client, message: dict[str, str]) -> None:
        content = [{"type": "text", "text": "What is this?"}, IMAGE]
        answer = ask(alice, "told", messages=[{**message, "content": content}])
        assert json.loads(answer["response"]) == [["human", content]]
        kept = alice.get(f"/api/threads/{answer['thread_id']}/messages").json()["items"][0]
        assert (kept["content"], kept["blocks"]) == ("What is this?", content)

    def test_that_were_images_are_told_again(self, alice: httpx.Client) -> None:
        content = [{"type": "text", "text": "What is this?"}, IMAGE]
        thread_id = ask(alice, "told", messages=[{"role": "user", "content": content}])["thread_id"]
        second = json.loads(ask(alice, "told", query="And now?", thread_id=thread_id)["response"])
        assert second[0] == ["human", content]
        assert second[-1] == ["human", "And now?"]

    @pytest.mark.parametrize("runnable", ["told", "state-told"])
    def test_of_the_thread_come_before_the_question(self, alice: httpx.Client, runnable: str) -> None:
        first = ask(alice, runnable, query="one")
        second = json.loads(ask(alice, runnable, query="two", thread_id=first["thread_id"])["response"])
        assert second == [["human", "one"], ["ai", first["response"]], ["human", "two"]]

    def test_of_an_assistant_are_taken_where_the_entry_says_so(self, alice: httpx.Client) -> None:
        said = [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b"},
            {"role": "user", "content": "c"},
        ]
        assert json.loads(ask(alice, "recalling", messages=said)["response"]) == [
            ["human", "a"], ["ai", "b"], ["human", "c"],
        ]  # fmt: skip
        refused = alice.post("/api/chat", json={"runnable": "told", "messages": said})
        assert refused.status_code == 422
        system = [{"role": "system", "content": "Obey."}, *said]
        assert alice.post("/api/chat", json={"runnable": "recalling", "messages": system}).status_code == 422

    def test_text_in_place_of_messages(self, alice: httpx.Client) -> None:
        output = alice.post("/state-told/invoke", json={"input": {"input": "hi"}}).json()["output"]
        assert json.loads(output["messages"][-1]["content"]) == [["human", "hi"]]

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"query": "a", "messages": [{"role": "user", "content": "b"}]},
            {"messages": []},
            {"query": None},
        ],
    )
    def test_one_way_to_ask_is_wanted(self, alice: httpx.Client, body: dict[str, Any]) -> None:
        assert alice.post("/api/chat", json={"runnable": "told", **body}).status_code == 422

    @pytest.mark.parametrize("messages", [["x"], [{"role": "user"}], [{"role": "nobody", "content": "x"}]])
    def test_that_are_none_are_a_422(self, alice: httpx.Client, messages: Any) -> None:
        assert alice.post("/api/chat", json={"runnable": "told", "messages": messages}).status_code == 422

    async def test_a_history_around_a_remote_runnable(self, served: LiveApp) -> None:
        remote: RemoteRunnable[Any, Any] = RemoteRunnable(f"{served.url}/recalling", headers=bearer("alice"))
        chain = RunnableWithMessageHistory(remote, history_of)
        config: RunnableConfig = {"configurable": {"session_id": "around"}}
        await chain.ainvoke("one", config)
        second = json.loads(await chain.ainvoke("two", config))
        assert [kind for kind, _ in second] == ["human", "ai", "human"]
        await remote.async_client.aclose()
        remote.sync_client.close()


class TestFiles:
    def test_reach_the_runnable_as_blocks_and_are_told_again(self, alice: httpx.Client) -> None:
        kept = [
            alice.post("/api/attachments", files={"file": (name, content)}).raise_for_status().json()["id"]
            for name, content in (("a.png", PNG), ("note.txt", b"Buy bonds."))
        ]
        first = ask(alice, "told", query="What is this?", attachments=kept)
        [[_, said]] = json.loads(first["response"])
        assert [block["type"] for block in said] == ["text", "image", "text"]
        assert said[0]["text"] == "What is this?"
        assert said[1] == {
            "type": "image",
            "base64": base64.b64encode(PNG).decode(),
            "mime_type": "image/png",
        }
        assert said[2]["text"] == "note.txt:\nBuy bonds."
        second = json.loads(ask(alice, "told", query="And?", thread_id=first["thread_id"])["response"])
        assert second[0] == ["human", said]

    def test_are_refused_by_what_takes_text_alone(self, alice: httpx.Client) -> None:
        file = {"file": ("a.png", PNG)}
        kept = alice.post("/api/attachments", files=file).json()["id"]
        body = {"runnable": "styled", "query": "x", "attachments": [kept]}
        assert alice.post("/api/chat", json=body).status_code == 422

    def test_of_another_do_not_exist(self, served: LiveApp, alice: httpx.Client) -> None:
        kept = alice.post("/api/attachments", files={"file": ("a.png", PNG)}).json()["id"]
        with served.client(bearer("bob")) as bob:
            body = {"runnable": "told", "query": "x", "attachments": [kept]}
            assert bob.post("/api/chat", json=body).status_code == 404


class TestHistoryOfLangChain:
    def test_is_the_callers_own(self, served: LiveApp, alice: httpx.Client) -> None:
        thread_id = ask(alice, "remembering", query="[say one]")["thread_id"]
        ask(alice, "remembering", query="[say two]", thread_id=thread_id)
        [mine] = [name for name in HISTORIES if thread_id in name]
        assert "alice" in mine
        assert len(HISTORIES[mine].messages) == 4


class TestConfigurable:
    def test_what_is_allowed_reaches_the_runnable_and_identity_stays(self, alice: httpx.Client) -> None:
        config = {"configurable": {"temperature": 0.9}}
        output = alice.post("/tempered/invoke", json={"input": {"input": "x"}, "config": config}).json()[
            "output"
        ]
        assert json.loads(output) == {"temperature": 0.9, "user_id": "alice"}
        answer = ask(alice, "tempered", query="x", configurable={"temperature": 0.1})
        assert json.loads(answer["response"])["temperature"] == 0.1

    @pytest.mark.parametrize("given", [{"user_id": "mallory"}, {"temperature": "hot"}, {"model": "x"}])
    def test_what_is_not_is_refused_by_name(self, alice: httpx.Client, given: dict[str, Any]) -> None:
        body = {"input": {"input": "x"}, "config": {"configurable": given}}
        refused = alice.post("/tempered/invoke", json=body)
        assert refused.status_code == 422
        assert next(iter(given)) in refused.text
        assert (
            alice.post(
                "/api/chat", json={"runnable": "tempered", "query": "x", "configurable": given}
            ).status_code
            == 422
        )

    def test_a_websocket_takes_the_same(self, served: LiveApp) -> None:
        address = f"{served.url.replace('http', 'ws', 1)}/ws/chat/?events=run"
        asked = {"message": "x", "runnable": "tempered"}
        with connect(address, additional_headers=bearer()) as socket:
            socket.send(json.dumps({**asked, "configurable": {"user_id": "mallory"}}))
            refused = json.loads(socket.recv(20))
            socket.send(json.dumps({**asked, "configurable": {"temperature": 0.9}}))
            while (told := json.loads(socket.recv(20)))["type"] != "complete":
                pass
        assert (refused["type"], refused["problem"]["status"]) == ("error", 422)
        assert "user_id" in json.dumps(refused["problem"])
        assert json.loads(told["content"]) == {"temperature": 0.9, "user_id": "alice"}

    def test_alternatives_are_chosen(self, alice: httpx.Client) -> None:
        answers = [
            ask(alice, "styled", query="x", configurable={"style": style}) for style in ("plain", "loud")
        ]
        assert [answer["response"] for answer in answers] == ["plain", "LOUD"]
        refused = {"runnable": "styled", "query": "x", "configurable": {"style": "other"}}
        assert alice.post("/api/chat", json=refused).status_code == 422
        assert "loud" in alice.get("/styled/config_schema").text

    def test_is_in_the_schema(self, alice: httpx.Client) -> None:
        schema = alice.get("/tempered/config_schema").json()
        assert "temperature" in json.dumps(schema)

    def test_a_field_that_the_runnable_does_not_have_is_refused_at_start(self) -> None:
        entry = Entry("/x", lambda _: RunnableLambda(told), "X.", configurable=["temperature"])
        with pytest.raises(BadRegistry, match="temperature"):
            checked("mine:LIST", [entry])


class TestPaths:
    def test_of_several_segments(self, alice: httpx.Client) -> None:
        assert alice.post("/team/deep/invoke", json={"input": "x"}).json()["output"] == "deep"
        assert ask(alice, "team/deep", query="x")["response"] == "deep"


def test_nodes_that_there_are_not_are_refused_at_start() -> None:
    with pytest.raises(BadRegistry, match="nobody"):
        checked("mine:LIST", [Entry("/x", state_told, "X.", answering=["nobody"])])


class TestBodies:
    def test_are_as_large_as_their_entry_says(self, alice: httpx.Client) -> None:
        large = {"role": "user", "content": "x" * 1_200_000}
        told = ask(alice, "recalling", messages=[large])
        assert len(told["response"]) > 1_200_000
        assert alice.post("/recalling/invoke", json={"input": [large]}).status_code == 200
        refused = alice.post("/api/chat", json={"runnable": "told", "messages": [large]})
        assert refused.status_code == 413
        assert alice.post("/told/invoke", json={"input": [large]}).status_code == 413
        too_large = {"role": "user", "content": "x" * 2_100_000}
        assert alice.post("/recalling/invoke", json={"input": [too_large]}).status_code == 413

    def test_of_no_size_are_refused_at_start(self) -> None:
        with pytest.raises(BadRegistry, match="max_body"):
            checked("mine:LIST", [Entry("/x", state_told, "X.", max_body="many")])


class TestFailures:
    """What a runnable fails with, told the same on every route."""

    @pytest.mark.parametrize("endpoint", ["invoke", "stream", "stream_events", "stream_log"])
    def test_a_loop_goes_no_further_than_its_limit(self, alice: httpx.Client, endpoint: str) -> None:
        steps.clear()
        body = {"input": {"input": "x"}}
        alice.post(f"/looping/{endpoint}", json=body)
        assert len(steps) == 25  # GATEHOUSE_RECURSION_LIMIT

    @pytest.mark.parametrize(
        ("runnable", "kind", "named"),
        [("looping", "step-limit", "25 steps"), ("odd", "output-not-json", "object")],
    )
    def test_are_named(self, alice: httpx.Client, runnable: str, kind: str, named: str) -> None:
        answers = [
            alice.post("/api/chat", json={"runnable": runnable, "query": "x"}),
            alice.post(f"/{runnable}/invoke", json={"input": {"input": "x"}}),
        ]
        for answer in answers:
            assert answer.status_code == 500
            assert answer.json()["type"].endswith(kind)
            assert named in answer.json()["detail"]
        stream = alice.post(f"/{runnable}/stream", json={"input": {"input": "x"}}).text
        assert named in stream
        assert "event: error" in stream
