"""A run, followed to its end over as many connections as that takes. The protocol is docs/streaming.md.

The module knows nothing of terminals: it is what a client of the run API in Python looks like.
"""

import asyncio
import json
import random
import re
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

import httpx2

FIRST_PAUSE = 0.5  # seconds
LONGEST_PAUSE = 10.0
GIVE_UP_AFTER = 120.0  # seconds without an event
LARGEST_EVENT = 16 * 1024 * 1024  # bytes; `complete` and `gap` hold whole answers
PASSING = {408, 425, 429, 500, 502, 503, 504}  # where a run that goes on is worth asking for again
EVENT_ID = re.compile(r"([0-9]{1,9})-([0-9]{1,15})")

Place = tuple[int, int]  # attempt and sequence


@dataclass(frozen=True, slots=True)
class Event:
    """An event of the run, each once and in order; `data` has at least `type` and `content`."""

    id: str
    data: Mapping[str, Any]

    @property
    def type(self) -> str:
        return str(self.data.get("type"))

    @property
    def content(self) -> str:
        return str(self.data.get("content", ""))


@dataclass(frozen=True, slots=True)
class Reconnecting:
    """The connection was lost; the next one is tried in so many seconds."""

    seconds: float


class RequestRefused(Exception):
    """The server's answer was a problem (RFC 9457), whose fields are in `problem`."""

    def __init__(self, problem: dict[str, Any]) -> None:
        self.problem = problem
        super().__init__(problem.get("detail"))

    @property
    def retry_after(self) -> float:
        """Seconds that the server asks to wait, 0 where it does not."""
        seconds = self.problem.get("retry_after")
        return float(seconds) if isinstance(seconds, int | float) else 0.0


class NotConnected(Exception):
    """Nobody answers at the address."""


class Lost(Exception):
    """The run was not found again in time; the message says why."""


class NotGatehouse(Exception):
    """What answers does not speak the protocol."""


class Interruption(Exception):
    """The stream broke off, or left something out: it is to be joined again."""


class Run:
    """A question and the run that answers it.

    `id` is None until the server has said it. The `Idempotency-Key` lets a question whose answer got lost
    be asked again without a second run.
    """

    def __init__(self, client: httpx2.AsyncClient, question: Mapping[str, str]) -> None:
        self.id: str | None = None
        self._client = client
        self._question = dict(question)
        self._key = str(uuid.uuid4())
        self._last_id = ""
        self._place: Place = (0, 0)
        self._connected = False

    @classmethod
    def joined(cls, client: httpx2.AsyncClient, run_id: str, last_id: str) -> Self:
        """Return a run that was followed up to this event, and goes on after it."""
        run = cls(client, {})
        run.id, run._last_id, run._place = run_id, last_id, place_of(last_id)
        return run

    async def events(self) -> AsyncGenerator[Event | Reconnecting]:
        """Yield the events up to `end`, and between them when the connection was lost.

        Raises RequestRefused, NotConnected, Lost, NotGatehouse.
        """
        pause, last_news = FIRST_PAUSE, time.monotonic()
        while True:
            try:
                async with aclosing(self._connection()) as events:
                    async for event in events:
                        pause, last_news = FIRST_PAUSE, time.monotonic()
                        yield event
                        if event.type == "end":
                            return
                wanted = 0.0
            except (httpx2.TransportError, Interruption) as error:
                if not self._connected and isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
                    raise NotConnected(str(error)) from None
                wanted = 0.0
            except RequestRefused as refusal:
                if self.id is None or refusal.problem.get("status") not in PASSING:
                    raise
                wanted = refusal.retry_after
            if time.monotonic() - last_news > GIVE_UP_AFTER:
                raise Lost("the connection was lost, and not found again within two minutes")
            seconds = max(wanted, pause * random.uniform(0.8, 1.2))  # noqa: S311  # not all clients at once
            yield Reconnecting(seconds)
            await asyncio.sleep(seconds)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def cancel(self) -> None:
        """Have the run stop now: its `end` comes with the events. Raises RequestRefused, TransportError."""
        if self.id is not None:
            check(await self._client.post(f"/api/runs/{self.id}/cancel"))

    async def _connection(self) -> AsyncGenerator[Event]:
        """Yield what one connection brings that is new."""
        async with self._opened() as source:
            response = source.response
            self._connected = True
            if response.status_code != httpx2.codes.OK:
                await response.aread()
            check(response)
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                raise NotGatehouse(f"{response.url} answers with something else than events")
            self.id = response.headers.get("x-run-id", self.id)
            async for received in source:
                if event := self._new(received):
                    yield event

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[httpx2.EventSource]:
        if self.id is None:
            request = self._client.sse(
                "/api/chat/stream",
                method="POST",
                json=self._question,
                headers={"idempotency-key": self._key},
                max_event_size=LARGEST_EVENT,
            )
        else:
            request = self._client.sse(
                f"/api/runs/{self.id}/stream",
                headers={"last-event-id": self._last_id or "-1"},
                max_event_size=LARGEST_EVENT,
            )
        async with request as source:
            yield source

    def _new(self, received: httpx2.ServerSentEvent) -> Event | None:
        """Return the event, unless it was seen before. Raises RequestRefused, Interruption, NotGatehouse."""
        if not received.data:  # `retry`, or a frame that the connection cut in two, whose id must not count
            return None
        try:
            data = json.loads(received.data)
        except ValueError:
            raise NotGatehouse("the server's events are no JSON") from None
        if received.event == "error" and received.id == self._last_id:  # without an id: it is not the run's
            raise RequestRefused(data.get("problem", data))
        place = place_of(received.id)
        if place <= self._place:
            return None
        if received.event != "gap" and not follows(place, self._place):
            raise Interruption("an event is missing")
        self._place, self._last_id = place, received.id
        return Event(received.id, data)


def check(response: httpx2.Response) -> None:
    """Return when the response is one. Raises RequestRefused, or Lost for a run that tells nothing more."""
    if response.status_code == httpx2.codes.NO_CONTENT:
        raise Lost("the run has ended, and its last events are no longer kept")
    if response.is_success:
        return
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict) or "detail" not in problem:
        where = response.headers.get("location")
        leads = f" and leads to {where}" if where else ""
        problem = {"detail": f"{response.url} answers {response.status_code}{leads}"}
    raise RequestRefused({**problem, "status": response.status_code})


def place_of(event_id: str) -> Place:
    """Raises NotGatehouse for what is no event id."""
    match = EVENT_ID.fullmatch(event_id)
    if match is None:
        raise NotGatehouse("the server's events have no ids")
    return int(match[1]), int(match[2])


def follows(place: Place, earlier: Place) -> bool:
    """Tell whether nothing lies between: sequences are dense from 1 in each attempt."""
    attempt, sequence = place
    if attempt == earlier[0]:
        return sequence == earlier[1] + 1
    return attempt > earlier[0] and sequence == 1
