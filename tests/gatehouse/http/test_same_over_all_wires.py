"""The same question over every wire: the same answer, tool steps, usage and thread."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import openai
import pytest
from langserve import RemoteRunnable
from live_app import LiveApp, bearer, token
from sse_frames import frames_in
from websockets.sync.client import connect

QUESTION = '[say Let me see.][tool calculator {"expression": "2+2"}][say Four.]'
ANSWER = "Let me see.\n\nFour."
CALLS = [("calculator", {"expression": "2+2"})]


@dataclass(frozen=True)
class Told:
    """What a wire tells. None is what it has no words for: a thread keeps it all the same."""

    text: str
    calls: list[tuple[str, dict[str, Any]]] | None = None
    tokens: int | None = None


def run_api(live: LiveApp, thread_id: str) -> Told:
    with live.client() as client:
        body = {"query": QUESTION, "runnable": "agent", "thread_id": thread_id}
        answer = client.post("/api/chat", json=body).json()
    return Told(answer["response"], tokens=answer["usage"]["total_tokens"])


def of_events(events: list[dict[str, Any]]) -> Told:
    """Return what the run's own events tell."""
    calls = [(event["tool"], event["input"]) for event in events if event["type"] == "tool_start"]
    [complete] = [event for event in events if event["type"] == "complete"]
    said = "".join(event["content"] for event in events if event["type"] == "token")
    return Told(said, calls, complete["usage"]["total_tokens"])


def typed_events(live: LiveApp, thread_id: str) -> Told:
    with live.client() as client:
        body = {"query": QUESTION, "runnable": "agent", "thread_id": thread_id}
        return of_events([frame.data for frame in frames_in(client.post("/api/chat/stream", json=body).text)])


def websocket(live: LiveApp, thread_id: str) -> Told:
    address = live.url.replace("http", "ws") + "/ws/chat/?events=run"
    events: list[dict[str, Any]] = []
    with connect(address, additional_headers=bearer(), proxy=None) as socket:
        socket.send(json.dumps({"message": QUESTION, "runnable": "agent", "thread_id": thread_id}))
        while not events or events[-1]["type"] != "end":
            events.append(json.loads(socket.recv(10)))
    return of_events(events)


def langserve(live: LiveApp, thread_id: str) -> Told:
    agent: RemoteRunnable[Any, Any] = RemoteRunnable(f"{live.url}/agent", headers=bearer())
    with agent.sync_client:
        chunks = [*agent.stream({"input": QUESTION}, {"configurable": {"thread_id": thread_id}})]
    return Told("".join(chunk.text for chunk in chunks))


def langserve_in_one_piece(live: LiveApp, thread_id: str) -> Told:
    agent: RemoteRunnable[Any, Any] = RemoteRunnable(f"{live.url}/agent", headers=bearer())
    with agent.sync_client:
        answer = agent.invoke({"input": QUESTION}, {"configurable": {"thread_id": thread_id}})
    return Told(answer.text)


def client_of(live: LiveApp) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{live.url}/v1", api_key=token(), max_retries=0)


def openai_chat(live: LiveApp, thread_id: str) -> Told:
    asked: Any = {"model": "agent", "messages": [{"role": "user", "content": QUESTION}], "stream": True}
    with client_of(live) as client:
        named: Any = {"extra_headers": {"x-thread-id": thread_id}, "stream_options": {"include_usage": True}}
        *chunks, usage = client.chat.completions.create(**asked, **named)
    return Told(
        "".join(chunk.choices[0].delta.content or "" for chunk in chunks), tokens=usage.usage.total_tokens
    )


def openai_responses(live: LiveApp, thread_id: str) -> Told:
    with client_of(live) as client:
        answer = client.responses.create(model="agent", input=QUESTION, conversation=thread_id)
    calls = [(item.name, json.loads(item.arguments)) for item in answer.output if item.type == "mcp_call"]
    return Told(answer.output_text, calls, answer.usage.total_tokens if answer.usage else None)


def ui_stream(live: LiveApp, thread_id: str) -> Told:
    message = {"id": "m1", "role": "user", "parts": [{"type": "text", "text": QUESTION}]}
    body = {"id": thread_id, "messages": [message], "trigger": "submit-message"}
    with live.client() as client:
        text = client.post("/api/ui/agent/chat", json=body).text
    frames = (frame.removeprefix("data: ") for frame in text.split("\n\n"))
    chunks = [json.loads(frame) for frame in frames if frame.startswith("{")]
    calls = [(one["toolName"], one["input"]) for one in chunks if one["type"] == "tool-input-available"]
    said = "".join(one["delta"] for one in chunks if one["type"] == "text-delta")
    usages = [one["messageMetadata"]["usage"] for one in chunks if "usage" in one.get("messageMetadata", {})]
    return Told(said, calls, usages[-1]["total_tokens"])


WIRES: Mapping[str, Callable[[LiveApp, str], Told]] = {
    "run API": run_api,
    "typed events": typed_events,
    "WebSocket": websocket,
    "LangServe": langserve,
    "LangServe in one piece": langserve_in_one_piece,
    "OpenAI Chat": openai_chat,
    "OpenAI Responses": openai_responses,
    "UI stream": ui_stream,
}


@pytest.fixture(scope="module")
def alice(shared: LiveApp) -> Iterator[httpx.Client]:
    with shared.client() as client:
        yield client


@pytest.mark.parametrize("wire", WIRES)
def test_the_same_question_is_answered_the_same(shared: LiveApp, alice: httpx.Client, wire: str) -> None:
    thread_id = alice.post("/api/threads", json={"runnable": "agent"}).json()["id"]
    told = WIRES[wire](shared, thread_id)
    question, answer = alice.get(f"/api/threads/{thread_id}/messages").json()["items"]
    assert (question["content"], answer["content"]) == (QUESTION, ANSWER)
    assert [(call["tool"], call["input"]) for call in answer["tool_calls"]] == CALLS
    assert told.text == ANSWER
    assert told.calls in (None, CALLS)
    assert told.tokens in (None, answer["usage"]["total_tokens"])
    assert answer["usage"]["total_tokens"] == usage_over_the_run_api(alice)


def usage_over_the_run_api(alice: httpx.Client) -> int:
    answer = alice.post("/api/chat", json={"query": QUESTION, "runnable": "agent"}).json()
    return int(answer["usage"]["total_tokens"])
