"""A provider that says what a test gives it, chunk by chunk, and a server that asks it over every route.

A `Script` is what the model's next answer is: the same as a stream, and in one piece where no stream is asked.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from live_app import LiveApp, serving
from provider_server import KEY, Exchange, Json, ProviderServer, Reply, providing
from sse_frames import Frame, frames_in

from gatehouse import Entry

SETTINGS: dict[str, Any] = {
    "model": "openai:vendor/model-7b",
    "openai_api_key": KEY,
    "model_retries": 0,
    "model_breaker_failures": 10_000,
}


def delta(content: Json | None = None, finish: str | None = None, **more: Any) -> Json:
    """Return a chunk with one choice; `more` are fields of the chunk."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "vendor/model-7b",
        "choices": [{"index": 0, "delta": content or {}, "finish_reason": finish}],
        **more,
    }


def text(words: str, finish: str | None = None, **more: Any) -> Json:
    return delta({"content": words}, finish, **more)


def call(arguments: Any, name: str = "calculate_roi", call_id: Any = "call_1", index: int = 0) -> Json:
    """Return a chunk with a whole tool call."""
    function = {"name": name, "arguments": arguments}
    return delta({"tool_calls": [{"index": index, "id": call_id, "type": "function", "function": function}]})


def usage(read: int, written: int, **details: Any) -> Json:
    counts = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
    return {**delta(), "choices": [], "usage": {**counts, **details}}


def streams(*chunks: Json | str, done: bool = True) -> Reply:
    """Answer with these chunks (texts are sent as they are); without a stream, with what they add up to."""

    def reply(exchange: Exchange) -> None:
        if not exchange.body.get("stream"):
            exchange.answer(200, added_up([one for one in chunks if isinstance(one, dict)]))
            return
        exchange.begin()
        for one in chunks:
            exchange.send(one if isinstance(one, str) else json.dumps(one))
        if done:
            exchange.send("[DONE]")
        exchange.wfile.write(b"0\r\n\r\n")

    return reply


def says(words: str = "Fine.", finish: str | None = "stop") -> Reply:
    return streams(text(words), delta({}, finish), usage(10, 5))


def sends(body: bytes | str, content_type: str = "application/json", status: int = 200) -> Reply:
    """Answer with this body, whatever was asked for."""
    data = body.encode() if isinstance(body, str) else body

    def reply(exchange: Exchange) -> None:
        exchange.send_response(status)
        exchange.send_header("content-type", content_type)
        exchange.send_header("content-length", str(len(data)))
        exchange.end_headers()
        exchange.wfile.write(data)

    return reply


def added_up(chunks: list[Json]) -> Json:
    """Return the completion in one piece that a stream's chunks stand for."""
    message: Json = {"role": "assistant", "content": ""}
    finish, used = None, None
    for chunk in chunks:
        used = chunk.get("usage") or used
        for choice in chunk["choices"]:
            finish = choice["finish_reason"] or finish
            said = choice["delta"]
            message["content"] += said.get("content") or ""
            for name in ("refusal", "reasoning_content"):
                if said.get(name):
                    message[name] = message.get(name, "") + said[name]
            for piece in said.get("tool_calls") or []:
                add_call(message.setdefault("tool_calls", []), piece)
    choice = {"index": 0, "message": message, "finish_reason": finish}
    whole = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "vendor/model-7b"}
    return {**whole, "choices": [choice], **({"usage": used} if used else {})}


def add_call(calls: list[Json], piece: Json) -> None:
    known = next((one for one in calls if one["index"] == piece["index"]), None)
    if known is None:
        calls.append(json.loads(json.dumps(piece)))
    else:
        known["function"]["arguments"] += piece["function"].get("arguments") or ""


@dataclass
class Told:
    """What every route says of the same question."""

    events: list[Frame] = field(default_factory=list)
    chat: httpx.Response | None = None
    message: Json = field(default_factory=dict)

    def of(self, kind: str) -> list[Json]:
        return [frame.data for frame in self.events if frame.type == kind]

    @property
    def status(self) -> str:
        return str(self.of("end")[0]["status"])

    @property
    def problem(self) -> str:
        return str(self.of("error")[0]["problem"]["type"]).rpartition(":")[2]

    @property
    def complete(self) -> Json:
        return self.of("complete")[0]


class Asking:
    """A server over the provider. What it is to answer is planned with each question."""

    def __init__(self, live: LiveApp, provider: ProviderServer) -> None:
        self.live = live
        self.provider = provider

    def plan(self, *replies: Reply) -> None:
        self.provider.plan.clear()
        self.provider.asked.clear()
        self.provider.plan.extend(replies)

    def streamed(self, *replies: Reply, runnable: str = "chat", thread_id: str | None = None) -> Told:
        """Ask over /api/chat/stream and return its events, and the message that the thread then has."""
        self.plan(*replies)
        body = {"query": "hello?", "runnable": runnable, **({"thread_id": thread_id} if thread_id else {})}
        with self.live.client() as client:
            events = frames_in(client.post("/api/chat/stream", json=body).text)
            thread = events[0].data["thread_id"]
            kept = client.get(f"/api/threads/{thread}/messages").json()["items"]
        return Told(events, None, kept[-1])

    def chat(self, *replies: Reply, runnable: str = "chat") -> httpx.Response:
        self.plan(*replies)
        with self.live.client() as client:
            return client.post("/api/chat", json={"query": "hello?", "runnable": runnable})

    def invoke(self, *replies: Reply, runnable: str = "chat", value: Any = None) -> httpx.Response:
        self.plan(*replies)
        with self.live.client() as client:
            return client.post(f"/{runnable}/invoke", json={"input": value or {"input": "hello?"}})

    def langserve(self, *replies: Reply, runnable: str = "chat", value: Any = None) -> list[Frame]:
        self.plan(*replies)
        with self.live.client() as client:
            body = client.post(f"/{runnable}/stream", json={"input": value or {"input": "hello?"}})
        return frames_in(body.text)

    def usage(self) -> list[Json]:
        with self.live.client() as client:
            return list(client.get("/api/usage").json()["items"])


Serving = Callable[..., Asking]


@contextmanager
def peculiar(folder: Path, registry: list[Entry], **changes: Any) -> Iterator[Asking]:
    """Yield a server whose model is a provider on loopback."""
    with providing() as provider:
        settings = {**SETTINGS, "openai_base_url": f"{provider.url}/v1", **changes}
        with serving(folder, registry, **settings) as live:
            yield Asking(live, provider)
