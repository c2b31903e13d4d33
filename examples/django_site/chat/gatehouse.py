"""Gatehouse as this site uses it: runs as events (SSE) or as frames (WebSocket), read on after a drop."""

import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx
from django.conf import settings
from httpx_sse import EventSource, SSEError, aconnect_sse
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException

from chat.drops import Drops
from chat.identity import NoCustomer, token_for
from chat.problems import Problem, problem_in, refusal

Event = dict[str, Any]

CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 40.0  # Gatehouse sends a heartbeat every 15 seconds
GONE = frozenset({502, 503, 504})  # a proxy before Gatehouse, or Gatehouse while it starts or stops

logger = logging.getLogger(__name__)


class Away(Exception):
    """Gatehouse is there, but cannot answer now."""


@dataclass(frozen=True)
class Question:
    """A message to the assistant. With the same key it is asked once, however often it is sent."""

    message: str
    idempotency_key: str
    thread_id: str | None = None

    def of_run_api(self) -> dict[str, str]:
        """Return the body of `POST /api/chat/stream`."""
        return {"query": self.message, "runnable": settings.GATEHOUSE_RUNNABLE, **self._thread()}

    def of_websocket(self) -> dict[str, str]:
        """Return the frame that Gatehouse's WebSocket takes."""
        key = {"idempotency_key": self.idempotency_key}
        return {"message": self.message, "runnable": settings.GATEHOUSE_RUNNABLE, **key, **self._thread()}

    def _thread(self) -> dict[str, str]:
        return {"thread_id": self.thread_id} if self.thread_id else {}


@dataclass(frozen=True)
class Resumption:
    """A run to read on after an event that was seen; without one from the start."""

    run_id: str
    last_event_id: str | None = None

    def of_websocket(self) -> dict[str, str]:
        """Return the frame that Gatehouse's WebSocket takes."""
        after = {"last_event_id": self.last_event_id} if self.last_event_id else {}
        return {"type": "resume", "run_id": self.run_id, **after}


@dataclass(frozen=True)
class Call:
    """A request that is answered with server-sent events."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    json: dict[str, str] | None = None


def call_for(wanted: Question | Resumption) -> Call:
    """Return the request that begins a run, or joins one."""
    if isinstance(wanted, Question):
        key = {"idempotency-key": wanted.idempotency_key}
        return Call("POST", "/api/chat/stream", key, wanted.of_run_api())
    seen = {"last-event-id": wanted.last_event_id} if wanted.last_event_id else {}
    return Call("GET", f"/api/runs/{wanted.run_id}/stream", seen)


async def events(user_id: int, wanted: Question | Resumption) -> AsyncGenerator[Event]:
    """Yield a run's typed events until `end`, over as many connections as it takes. Raises Problem.

    Each has its `id` and the `run_id`. There is none when the run has ended and all of it was seen.
    """
    drops = Drops()
    while True:
        try:
            async with opened(user_id, call_for(wanted)) as source:
                if source.response.status_code == httpx.codes.NO_CONTENT:
                    return
                run_id = source.response.headers["x-run-id"]
                async for sse in source.aiter_sse():
                    if not sse.data:
                        continue
                    event = json.loads(sse.data)
                    if sse.event == "error" and sse.id in ("", last_seen(wanted)):
                        raise refusal(event["problem"])  # of this connection: the run knows nothing of it
                    wanted = Resumption(run_id, sse.id)
                    drops.forget()
                    yield {**event, "id": sse.id, "run_id": run_id}
                    if sse.event == "end":
                        return
        except (httpx.TransportError, SSEError, Away) as cause:
            logger.info("a stream of Gatehouse ended early: %r", cause)
        await drops.pause()


async def frames(user_id: int, wanted: Question | Resumption) -> AsyncGenerator[Event]:
    """Yield a run's frames in the shape of LangChain's stream events until `end`. Raises Problem."""
    drops = Drops()
    while True:
        try:
            async with connect(
                f"{settings.GATEHOUSE_URL.replace('http', 'ws', 1)}/ws/chat/?events=langchain",
                additional_headers=await authorization(user_id),
                open_timeout=CONNECT_SECONDS,
                compression=None,
            ) as socket:
                await socket.send(json.dumps(wanted.of_websocket()))
                async for text in socket:
                    frame = json.loads(text)
                    if "id" not in frame:
                        raise refusal(frame["problem"])
                    wanted = Resumption(frame["run_id"], frame["id"])
                    drops.forget()
                    yield frame
                    if frame.get("type") == "end":
                        return
        except InvalidStatus as refused:
            status = refused.response.status_code
            if status not in GONE:
                raise refusal(problem_in(refused.response.body or b"", status)) from None
        except (OSError, WebSocketException) as cause:
            logger.info("a socket of Gatehouse ended early: %r", cause)
        await drops.pause()


async def answer(user_id: int, question: Question) -> dict[str, str]:
    """Return the whole `response` and its `thread_id`. Raises Problem."""
    told: dict[str, Event] = {}
    async for event in events(user_id, question):
        told[event["type"]] = event
    if "error" in told:
        raise refusal(told["error"]["problem"])
    if "complete" not in told:
        raise Problem(409, "The answer was stopped before it was complete.")
    return {"response": told["complete"]["content"], "thread_id": told["start"]["thread_id"]}


@asynccontextmanager
async def opened(user_id: int, call: Call) -> AsyncIterator[EventSource]:
    """Open a stream. Raises Away, Problem, httpx.TransportError."""
    headers = {**call.headers, **await authorization(user_id)}
    async with aconnect_sse(client(), call.method, call.path, json=call.json, headers=headers) as source:
        response = source.response
        if response.status_code in GONE:
            raise Away(f"status {response.status_code}")
        if response.is_error:
            problem = problem_in(await response.aread(), response.status_code)
            raise refusal(problem, response.headers.get("retry-after"))
        yield source


async def authorization(user_id: int) -> dict[str, str]:
    """Return the header that names the user. Raises Problem."""
    try:
        return {"authorization": f"Bearer {await token_for(user_id)}"}
    except NoCustomer:
        raise Problem(403, "This account may not use the assistant.") from None


@cache
def client() -> httpx.AsyncClient:
    """Return the process's client: each one reads all certificates, and has connections of its own."""
    return httpx.AsyncClient(
        base_url=settings.GATEHOUSE_URL,
        timeout=httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS),
        limits=httpx.Limits(max_connections=1000, max_keepalive_connections=20),
    )


def last_seen(wanted: Question | Resumption) -> str | None:
    return wanted.last_event_id if isinstance(wanted, Resumption) else None
