"""Whatever is served answers the same on every route: what `ainvoke` returns in a notebook."""

import asyncio
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import httpx
import jsonpatch
import pytest
from corpus_case import Case
from corpus_runnables import CORPUS, entries
from langgraph.checkpoint.memory import InMemorySaver
from live_app import LiveApp, bearer, serving
from websockets.sync.client import connect

from gatehouse.models.scripted.chat import ScriptedChatModel
from gatehouse.plain_json import from_json, json_bytes
from gatehouse.registry.checked import Registry, checked
from gatehouse.registry.entry import Parts
from gatehouse.runs.sources.answers import Answer, answer_of
from gatehouse.wires.langserve.serializing import SERIALIZER

VOLATILE = {"id", "usage_metadata", "response_metadata", "run_id", "additional_kwargs", "tool_call_id"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    with serving(tmp_path_factory.mktemp("corpus"), corpus().entries) as live:
        yield live


@pytest.fixture(scope="module")
def alice(served: LiveApp) -> Iterator[httpx.Client]:
    with served.client(bearer()) as client:
        yield client


@cache
def corpus() -> Registry:
    """Return the runnables with what is read off them, once; not where tests are only collected."""
    return checked("corpus", entries())


def in_a_notebook(name: str, case: Case) -> Any:
    """Return what the runnable itself returns, without any server."""
    if case.result is not None:
        return case.result
    runnable = case.build(Parts(ScriptedChatModel(), [], InMemorySaver()))
    shape = corpus().by_name[name.replace("_", "-")].shape
    typed = shape.typed(shape.widened(case.value))
    if "output_type" in case.entry:  # an agent as a message: what it takes is a text
        typed = {"messages": [("human", case.value["input"])]}
    told = {} if case.context is None else {"context": case.context}
    return asyncio.run(runnable.ainvoke(typed, {"configurable": {"thread_id": "1"}}, **told))


def stable(value: Any) -> Any:
    """Return JSON without what differs from call to call."""
    if isinstance(value, dict):
        return {name: stable(item) for name, item in value.items() if name not in VOLATILE}
    return [stable(item) for item in value] if isinstance(value, list) else value


def frames(text: str) -> list[tuple[str, Any]]:
    """Return the events of a stream, and their data."""
    found: list[tuple[str, Any]] = []
    for frame in text.replace("\r\n", "\n").split("\n\n"):
        lines = dict(line.split(": ", 1) for line in frame.splitlines() if ": " in line)
        if "data" in lines:
            found.append((lines.get("event", ""), json.loads(lines["data"])))
    return found


def path_of(name: str) -> str:
    return f"/{name.replace('_', '-')}"


@pytest.mark.parametrize("name", CORPUS)
class TestLangServe:
    def test_invoke_and_batch_return_what_ainvoke_does(self, alice: httpx.Client, name: str) -> None:
        case = CORPUS[name]
        expected = in_a_notebook(name, case)
        answer = alice.post(f"{path_of(name)}/invoke", json={"input": case.value})
        assert answer.status_code == 200, answer.text
        output = answer.json()["output"]
        if "output_type" in case.entry:
            assert output["content"] == case.text
        else:
            assert stable(output) == stable(SERIALIZER.dumpd(expected))
        batch = alice.post(f"{path_of(name)}/batch", json={"inputs": [case.value]})
        assert stable(batch.json()["output"]) == [stable(output)]

    def test_what_is_streamed_adds_up(self, alice: httpx.Client, name: str) -> None:
        case = CORPUS[name]
        answer = alice.post(f"{path_of(name)}/stream", json={"input": case.value})
        told = frames(answer.text)
        assert [event for event, _ in told][-1] == "end" or "event: end" in answer.text
        assert "error" not in {event for event, _ in told}, answer.text
        chunks = [data for event, data in told if event == "data"]
        if case.adds_up and isinstance(chunks[0], str):
            whole = "".join(chunks)
            assert whole == alice.post(f"{path_of(name)}/invoke", json={"input": case.value}).json()["output"]
        elif case.adds_up and isinstance(chunks[0], dict) and "content" in chunks[0]:
            assert "".join(chunk["content"] for chunk in chunks if isinstance(chunk["content"], str)) in (
                case.text,
                "",
            )


WAYS = [
    (name, how) for name, case in CORPUS.items() for how in ("input", "query") if how == "input" or case.query
]


class TestRunApi:
    def asked(self, name: str, how: str) -> dict[str, Any]:
        case = CORPUS[name]
        said = {"query": case.query} if how == "query" else {"input": case.value}
        return {**said, "runnable": name.replace("_", "-")}

    @pytest.mark.parametrize(("name", "how"), WAYS)
    def test_every_way_to_read_a_run_has_the_same_answer(
        self, alice: httpx.Client, name: str, how: str
    ) -> None:
        case = CORPUS[name]
        expected = told_of(answer_of(in_a_notebook(name, case)))
        answered = alice.post("/api/chat", json=self.asked(name, how))
        assert answered.status_code == 200, answered.text
        answer = answered.json()
        if how == "input" or name not in ("retriever",):
            assert without_ids(seen(answer, "response")) == without_ids(expected)
        if case.text is not None:
            assert answer["response"] == case.text
        run = alice.get(f"/api/runs/{answer['run_id']}").json()
        assert seen(run, "text") == seen(answer, "response")
        events = frames(alice.get(f"/api/runs/{answer['run_id']}/stream").text)
        [complete] = [data for event, data in events if event == "complete"]
        assert seen(complete, "content") == seen(answer, "response")
        assert summed(events) == answer["response"]
        messages = alice.get(f"/api/threads/{answer['thread_id']}/messages").json()["items"]
        assert messages[-1]["content"] == answer["response"]


def without_ids(told: dict[str, Any]) -> Any:
    """Return what is told without what differs from call to call, also where its text is JSON."""
    try:
        text = json.loads(told["text"])
    except ValueError:
        text = told["text"]
    return stable({**told, "text": text})


def seen(answer: dict[str, Any], text: str) -> dict[str, Any]:
    return {"text": answer[text], "message": answer["message"], "value": answer["value"]}


def told_of(answer: Answer) -> dict[str, Any]:
    told = from_json(json_bytes(answer.told()))
    return {
        "text": from_json(json_bytes(answer.text)),
        "message": told.get("message"),
        "value": told.get("value"),
    }


def summed(events: list[tuple[str, Any]]) -> str:
    """Return what a client that knows tokens and restarts alone has at the end."""
    text = ""
    for event, data in events:
        if event == "restart":
            text = ""
        elif event == "token":
            text += data["content"]
    return text


@pytest.mark.parametrize("name", CORPUS)
class TestOtherStreams:
    def test_events_and_the_log_end_with_what_is_returned(self, alice: httpx.Client, name: str) -> None:
        body = {"input": CORPUS[name].value}
        returned = stable(alice.post(f"{path_of(name)}/invoke", json=body).json()["output"])
        events = frames(alice.post(f"{path_of(name)}/stream_events", json=body).text)
        last = [data for kind, data in events if kind == "data"][-1]
        assert last["event"].endswith("_end")
        assert "error" not in {kind for kind, _ in events}
        log: dict[str, Any] = {}
        for kind, patch in frames(alice.post(f"{path_of(name)}/stream_log", json=body).text):
            assert kind != "error"
            if kind == "data":
                log = jsonpatch.apply_patch(log, patch["ops"])
        assert comparable(log["final_output"]) == comparable(returned)
        assert comparable(last["data"]["output"]) == comparable(returned)

    def test_a_websocket_tells_the_same(self, served: LiveApp, name: str) -> None:
        case = CORPUS[name]
        asked = {"message": case.query} if case.query else {"input": case.value}
        address = f"{served.url.replace('http', 'ws', 1)}/ws/chat/?events=run"
        with connect(address, additional_headers=bearer(), max_size=None) as socket:
            socket.send(json.dumps({**asked, "runnable": name.replace("_", "-")}))
            told: list[Any] = []
            while not told or told[-1]["type"] != "end":
                told.append(json.loads(socket.recv(20)))
        [complete] = [event for event in told if event["type"] == "complete"]
        assert summed([(event["type"], event) for event in told]) == complete["content"]
        if case.text is not None:
            assert complete["content"] == case.text


def comparable(value: Any) -> Any:
    """Return an output whether it came in one piece or in several: a chunk of a message is a message."""
    if isinstance(value, dict):
        if value.get("type") in ("AIMessageChunk", "ai"):
            return {"content": value["content"]}
        return {name: comparable(item) for name, item in stable(value).items()}
    return [comparable(item) for item in value] if isinstance(value, list) else value
