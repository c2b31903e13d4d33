"""The same question over every wire: the same answer, tool steps, usage and thread."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import httpx2
import openai
import pytest
from corpus_further import agent_with_a_guard
from langchain_core.messages import AIMessageChunk
from langserve import RemoteRunnable
from live_app import LiveApp, bearer, serving, token
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult
from sse_frames import frames_in
from websockets.sync.client import connect

from gatehouse.registry.entry import Entry

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


def mcp(live: LiveApp, thread_id: str) -> Told:
    async def called() -> CallToolResult:
        async with (
            httpx2.AsyncClient(headers=bearer(), timeout=20) as http,
            Client(streamable_http_client(f"{live.url}/mcp", http_client=http)) as client,
        ):
            return await client.call_tool("agent", {"query": QUESTION, "thread_id": thread_id})

    result = asyncio.run(called())
    assert result.meta is not None
    assert result.meta["thread_id"] == thread_id
    text = "".join(getattr(block, "text", "") for block in result.content)
    return Told(text, tokens=result.meta["usage"]["total_tokens"])


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
    "MCP": mcp,
}


@pytest.fixture(scope="module")
def alice(shared: LiveApp) -> Iterator[httpx.Client]:
    with shared.client() as client:
        yield client


@pytest.mark.requirement("wires.same")
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


REWRITTEN = "Not that."


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    """Yield a server whose agent's answer is another than the words that came of it."""
    entry = Entry("/agent", agent_with_a_guard, "Guards.", output_type=AIMessageChunk, mcp=True)
    with serving(tmp_path_factory.mktemp("guarded"), [entry]) as live:
        yield live


def chat_in_one_piece(live: LiveApp, thread_id: str) -> Told:
    asked: Any = [{"role": "user", "content": QUESTION}]
    with client_of(live) as client:
        answer = client.chat.completions.create(
            model="agent", messages=asked, extra_headers={"x-thread-id": thread_id}
        )
    return Told(str(answer.choices[0].message.content))


IN_ONE_PIECE: Mapping[str, Callable[[LiveApp, str], Told]] = {
    "OpenAI Chat": chat_in_one_piece,
    **{name: WIRES[name] for name in ("run API", "LangServe in one piece", "OpenAI Responses", "MCP")},
}


@pytest.mark.requirement("wires.rewritten")
@pytest.mark.parametrize("wire", IN_ONE_PIECE)
def test_an_answer_in_one_piece_is_what_the_agent_returns(guarded: LiveApp, wire: str) -> None:
    with guarded.client() as client:
        thread_id = client.post("/api/threads", json={"runnable": "agent"}).json()["id"]
    assert IN_ONE_PIECE[wire](guarded, thread_id).text == REWRITTEN


@pytest.mark.requirement("wires.rewritten")
def test_a_stream_takes_back_or_says_that_it_cannot(guarded: LiveApp) -> None:
    """Typed events and Responses have words for it; Chat and the UI stream end with an error that says so."""
    with guarded.client() as client:
        asked = {"query": QUESTION, "runnable": "agent"}
        events = [frame.data for frame in frames_in(client.post("/api/chat/stream", json=asked).text)]
        message = {"id": "m1", "role": "user", "parts": [{"type": "text", "text": QUESTION}]}
        body = {"id": "a chat", "messages": [message], "trigger": "submit-message"}
        chunks = client.post("/api/ui/agent/chat", json=body).text
    told = [event["content"] for event in events if event["type"] in ("restart", "token", "complete")]
    after = [event["type"] for event in events].index("restart")
    assert "".join(event["content"] for event in events[after:] if event["type"] == "token") == REWRITTEN, (
        told
    )
    assert "The answer began again: resume the stream to read it." in chunks
    with client_of(guarded) as openai_client:
        response = list(openai_client.responses.create(model="agent", input=QUESTION, stream=True))[-1]
        assert response.type == "response.completed"
        assert response.response.output_text == REWRITTEN
        messages: Any = [{"role": "user", "content": QUESTION}]
        stream = openai_client.chat.completions.create(model="agent", messages=messages, stream=True)
        with pytest.raises(openai.APIError) as caught:
            list(stream)
    assert caught.value.code == "run_restarted"
