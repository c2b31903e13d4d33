"""Clients of the wires that people have clients for, each of which asks once while replicas die."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import httpx
import orjson

STUCK_SECONDS = 120
AWAY_SECONDS = 0.2
PATIENCE = (1.0, 2.5, 20.0)  # seconds in which something has to come
AGAIN = frozenset({409, 502, 503, 504})
ATTEMPT = 1_000_000  # after a takeover the numbers of a response's events go on at a multiple of it
RUNNABLE = "agent"
MCP = {"mcp-protocol-version": "2025-11-25", "accept": "application/json, text/event-stream"}


class Call(NamedTuple):
    """A request that is answered with a stream."""

    method: str
    path: str
    body: dict[str, Any] | None = None
    headers: Mapping[str, str] = {}


class Wire(Protocol):
    """One question over one wire.

    `outcome` is empty while it goes on, then `answered` with the right text, or `told`: by an error of the
    protocol's own. `resumes` says that its client can come back, and has to be answered then.
    """

    resumes: bool
    outcome: str
    faults: list[str]

    def next_call(self) -> Call:
        """Return what is asked next: the question, or the rest of its answer."""
        ...

    def take(self, event: dict[str, Any]) -> None:
        """Take the next event of a stream."""
        ...


class Responses:
    """OpenAI's Responses, read on after the number of the last event."""

    resumes = True

    def __init__(self, question: str, answer: str, key: UUID) -> None:
        self.question, self.answer, self.key = question, answer, key
        self.outcome, self.faults = "", list[str]()
        self.response_id, self.number = "", -1
        self.attempts = 1

    def next_call(self) -> Call:
        if not self.response_id:
            body = {"model": RUNNABLE, "input": self.question, "stream": True}
            return Call("POST", "/v1/responses", body, {"idempotency-key": str(self.key)})
        return Call("GET", f"/v1/responses/{self.response_id}?stream=true&starting_after={self.number}")

    def take(self, event: dict[str, Any]) -> None:
        if event["type"] == "error":  # of this viewer: the response goes on
            return
        number = event["sequence_number"]
        anew = number > self.number and number % ATTEMPT == 0
        if number != self.number + 1 and not anew:
            self.faults.append(f"event {number} came after {self.number}")
        self.attempts += anew and number > 0
        self.number = number
        if event["type"] == "response.created":
            self.response_id = event["response"]["id"]
        elif event["type"] == "response.completed":
            said = "".join(part["text"] for item in event["response"]["output"] for part in item["content"])
            self.outcome = "answered"
            if said != self.answer:
                self.faults.append(f"it says {said!r:.200}")
        elif event["type"] in ("response.failed", "response.incomplete"):
            self.outcome = "told"


class UiStream:
    """The AI SDK's stream, told from its beginning to whoever comes back."""

    resumes = True

    def __init__(self, question: str, answer: str, key: UUID) -> None:
        self.question, self.answer, self.key = question, answer, key
        self.outcome, self.faults = "", list[str]()
        self.message_id, self.said = "", ""

    def next_call(self) -> Call:
        self.said = ""
        if self.message_id:
            return Call("GET", f"/api/ui/{RUNNABLE}/chat/{self.key}/stream?message={self.message_id}")
        message = {"id": "m", "role": "user", "parts": [{"type": "text", "text": self.question}]}
        body = {"id": str(self.key), "messages": [message], "trigger": "submit-message"}
        return Call("POST", f"/api/ui/{RUNNABLE}/chat", body)

    def take(self, event: dict[str, Any]) -> None:
        match event["type"]:
            case "start":
                self.message_id, self.said = event["messageId"], ""
            case "text-delta":
                self.said += event["delta"]
            case "finish":
                self.outcome = "answered"
                if self.said != self.answer:
                    self.faults.append(f"it says {self.said!r:.200}")
            case "abort":
                self.outcome = "told"


class Chat:
    """OpenAI's Chat, of which nobody reads on."""

    resumes = False

    def __init__(self, question: str, answer: str, key: UUID) -> None:
        self.question, self.answer, self.key = question, answer, key
        self.outcome, self.faults, self.said = "", list[str](), ""

    def next_call(self) -> Call:
        messages = [{"role": "user", "content": self.question}]
        body = {"model": RUNNABLE, "messages": messages, "stream": True}
        named = {"x-thread-id": str(self.key), "idempotency-key": str(self.key)}
        return Call("POST", "/v1/chat/completions", body, named)

    def take(self, event: dict[str, Any]) -> None:
        if "error" in event:
            self.outcome = "told"
            return
        choice = event["choices"][0]
        self.said += choice["delta"].get("content") or ""
        if choice["finish_reason"]:
            self.outcome = "answered"
            if self.said != self.answer:
                self.faults.append(f"it says {self.said!r:.200}")


class Mcp:
    """A call of MCP's, which ends with its connection."""

    resumes = False

    def __init__(self, question: str, answer: str, key: UUID) -> None:
        self.question, self.answer, self.key = question, answer, key
        self.outcome, self.faults = "", list[str]()

    def next_call(self) -> Call:
        called = {"name": RUNNABLE, "arguments": {"query": self.question}}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": called}
        return Call("POST", "/mcp", body, MCP)

    def take(self, event: dict[str, Any]) -> None:
        if "result" not in event and "error" not in event:  # progress
            return
        result = event.get("result") or {"isError": True}
        self.outcome = "told" if result.get("isError") else "answered"
        if self.outcome == "answered" and result["content"][0]["text"] != self.answer:
            self.faults.append(f"it says {result['content'][0]['text']!r:.200}")


async def follow(http: httpx.AsyncClient, urls: Sequence[str], wire: Wire, rng: random.Random) -> None:
    """Ask at random replicas until something came of it; a client that can come back also leaves by itself.

    Of a connection that breaks, a wire of which nobody reads on has the outcome `cut`.
    """
    try:
        async with asyncio.timeout(STUCK_SECONDS):
            while not wire.outcome:
                await asyncio.sleep(rng.uniform(0, AWAY_SECONDS))
                await connect(http, rng.choice(urls), wire, rng)
    except TimeoutError:
        wire.faults.append(f"nothing came of it in {STUCK_SECONDS} s")


async def connect(http: httpx.AsyncClient, url: str, wire: Wire, rng: random.Random) -> None:
    """Read what comes over one connection."""
    call, begun = wire.next_call(), False
    leave_after = rng.randrange(120) if wire.resumes and rng.random() < 0.7 else None
    patience = rng.choice(PATIENCE) if wire.resumes else STUCK_SECONDS
    asked = http.stream(
        call.method, f"{url}{call.path}", json=call.body, headers=call.headers, timeout=patience
    )
    try:
        async with asked as response:
            if response.status_code != httpx.codes.OK:
                await response.aread()
                if response.status_code not in (*AGAIN, httpx.codes.NO_CONTENT):
                    wire.faults.append(f"got {response.status_code}: {response.text[:200]}")
                    wire.outcome = "refused"
                return
            begun, count = True, 0
            async for event in events(response):
                wire.take(event)
                count += 1
                if wire.outcome or (leave_after is not None and count > leave_after):
                    return
    except httpx.ConnectError:
        return
    except httpx.TransportError:
        begun = True
    if begun and not wire.resumes:
        wire.outcome = "cut"


async def events(response: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    """Yield the JSON of a response: of each frame that has come whole, or of the one body that it is."""
    if response.headers["content-type"].startswith("application/json"):
        yield orjson.loads(await response.aread())
        return
    pending = b""
    async for chunk in response.aiter_bytes():
        *frames, pending = (pending + chunk).split(b"\n\n")
        for frame in frames:
            data = b"".join(line[6:] for line in frame.split(b"\n") if line.startswith(b"data: "))
            if data and data != b"[DONE]":
                yield orjson.loads(data)
