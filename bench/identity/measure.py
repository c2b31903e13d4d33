"""The measurement: requests through ASGI layers in this process, and the CPU time that they took."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio.connection import AbstractConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatehouse.services import Services
from gatehouse.storage.redis.multiplexed import Line
from gatehouse.web.request_state import KEY, RequestState

AT_ONCE = 8
BODY = b'{"input":{"input":"[say hello]"}}'


class BadAnswer(Exception):
    """A request that was not answered with 200; the message has the status."""


@dataclass(slots=True)
class Caller:
    """Sends requests with these headers to an application."""

    app: ASGIApp
    services: Services
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "GET"
    path: str = "/nothing"
    body: bytes = b""

    async def ask(self) -> None:
        """Send one request. Raises BadAnswer."""
        status = 0
        sent = False

        async def receive() -> Message:
            nonlocal sent
            if sent:
                await forever()
            sent = True
            return {"type": "http.request", "body": self.body, "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]

        await self.app(self.scope(), receive, send)
        if status != 200:
            raise BadAnswer(f"{self.path}: {status}")

    def scope(self) -> Scope:
        headers = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        return {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": self.method,
            "scheme": "http", "path": self.path, "raw_path": self.path.encode(), "query_string": b"",
            "root_path": "", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8000),
            "headers": [(b"host", b"127.0.0.1:8000"), (b"content-type", b"application/json"), *headers],
            "state": {"services": self.services, KEY: RequestState("bench")},
        }  # fmt: skip


async def cost(caller: Caller, requests: int) -> dict[str, float]:
    """Return the CPU µs and the Redis round trips of one request, as means over so many.

    `cpu_us` is of requests that come one after the other, `cpu_us_at_once` of eight askers at a time.
    """
    await ask(caller, requests // 10)
    with round_trips() as trips:
        alone = await ask(caller, requests)
        began = time.process_time()
        async with asyncio.TaskGroup() as askers:
            for _ in range(AT_ONCE):
                askers.create_task(ask(caller, requests // AT_ONCE))
        among = time.process_time() - began
    return {
        "cpu_us": 1e6 * alone / requests,
        "cpu_us_at_once": 1e6 * among / requests,
        "redis_round_trips": trips.count / 2 / requests,
    }


async def ask(caller: Caller, requests: int) -> float:
    """Ask so many times, one after the other; return the seconds of CPU that were used meanwhile."""
    began = time.process_time()
    for _ in range(requests):
        await caller.ask()
    return time.process_time() - began


@dataclass(slots=True)
class Trips:
    count: int = 0


@contextmanager
def round_trips() -> Iterator[Trips]:
    """Count the calls to Redis meanwhile, over redis-py's connections and over the shared one."""
    trips = Trips()
    send, call = AbstractConnection.send_packed_command, Line.call

    async def sending(self: AbstractConnection, command: Any, **options: Any) -> None:
        trips.count += 1
        await send(self, command, **options)

    def calling(self: Line, packed: bytes, seconds: float) -> asyncio.Future[Any]:
        trips.count += 1
        return call(self, packed, seconds)

    AbstractConnection.send_packed_command = sending  # type: ignore[method-assign,assignment]
    Line.call = calling  # type: ignore[method-assign]
    try:
        yield trips
    finally:
        AbstractConnection.send_packed_command = send  # type: ignore[method-assign]
        Line.call = call  # type: ignore[method-assign]


async def bare(_scope: Scope, _receive: Receive, send: Send) -> None:
    """An application that costs nothing."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok", "more_body": False})


async def forever() -> None:
    """Never return: a client that stays connected."""
    await asyncio.Event().wait()
