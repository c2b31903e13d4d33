"""One client that starts a run and reads it to its end, over connections that it keeps dropping."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.chaos.events import events
from tests.chaos.recovery import Recovery
from tests.chaos.transcript import Transcript

STUCK_SECONDS = 300
AWAY_SECONDS = 0.2
RETRIED = frozenset({409, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Question:
    """What a client asks: so many tokens, with so many seconds between them, after what `before` says.

    `may_be_lost` is when Redis loses data: a run of which nobody knows anything more is then no fault.
    """

    tokens: int
    delay: float
    before: str = "Count."
    runnable: str | None = None
    may_be_lost: bool = False

    @property
    def text(self) -> str:
        return f"{self.before} [delay {self.delay}] [tokens {self.tokens}]"

    @property
    def body(self) -> dict[str, str]:
        return {"query": self.text} | ({"runnable": self.runnable} if self.runnable else {})


@dataclass(slots=True)
class Story:
    """What became of one run."""

    live: Transcript
    run_id: str = ""
    thread_id: str = ""
    unknown: bool = False  # nobody knows the run any more
    seconds: float = 0
    connections: int = 0
    refused: int = 0
    silent: int = 0
    cut: int = 0
    left: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


class Viewer:
    """Follows one run. Which replica, how long and how patiently is for `rng` to say, and repeatable."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        urls: Sequence[str],
        question: Question,
        rng: random.Random,
        recovery: Recovery | None = None,
    ) -> None:
        self.http = http
        self.urls = urls
        self.recovery = recovery
        self.question = question
        self.rng = rng
        self.key = f"chaos-{rng.getrandbits(64):016x}"
        self.story = Story(Transcript(question.tokens))

    async def follow(self) -> Story:
        """Return the story of the run when it has ended, was read once more, and was checked."""
        story, began = self.story, time.monotonic()
        try:
            async with asyncio.timeout(STUCK_SECONDS):
                while not self._over:
                    await self._connect()
                if story.live.ends:
                    story.live.finish()
                if self.recovery:
                    self.recovery.ended(story.run_id)
                while not (story.unknown or await self._same_when_read_again()):
                    await asyncio.sleep(AWAY_SECONDS)
        except TimeoutError:
            story.faults.append(f"not read in {STUCK_SECONDS} s: it is at {story.live.cursor}")
        story.seconds = time.monotonic() - began
        return story

    @property
    def _over(self) -> bool:
        return bool(self.story.live.ends or self.story.unknown)

    async def _connect(self) -> None:
        """Read a part of the run over one connection, as far as that goes, and stay away for a moment."""
        story, rng = self.story, self.rng
        url = rng.choice(self.urls)
        leave_after = rng.randrange(120) if rng.random() < 0.7 else None
        story.connections += 1
        try:
            async with self._opened(url, patience=rng.choice((1.0, 2.5, 20.0))) as response:
                if await self._accepted(response):
                    await self._read(response, leave_after)
        except httpx.ReadTimeout:
            story.silent += 1
        except (httpx.ReadError, httpx.RemoteProtocolError):
            story.cut += 1
        except httpx.TransportError:
            story.refused += 1
        if not self._over:
            await asyncio.sleep(rng.uniform(1, 3) if rng.random() < 0.1 else rng.uniform(0, AWAY_SECONDS))

    def _opened(self, url: str, patience: float) -> AbstractAsyncContextManager[httpx.Response]:
        """Start the run at this replica, or join it there."""
        if not self.story.run_id:
            return self.http.stream(
                "POST",
                f"{url}/api/chat/stream",
                json=self.question.body,
                headers={"idempotency-key": self.key},
                timeout=patience,
            )
        attempt, sequence = self.story.live.cursor
        headers = {"last-event-id": f"{attempt}-{sequence}" if attempt else "-1"}
        return self.http.stream(
            "GET", f"{url}/api/runs/{self.story.run_id}/stream", headers=headers, timeout=patience
        )

    async def _accepted(self, response: httpx.Response) -> bool:
        """Note the run's id; False when the replica could not answer now."""
        story = self.story
        if response.status_code == 200:
            if not story.run_id:
                story.run_id = response.headers["x-run-id"]
                if self.recovery:
                    await self.recovery.started(story.run_id)
            return True
        await response.aread()
        self._kept_from_it({"status": response.status_code, "detail": response.text})
        return False

    def _kept_from_it(self, problem: dict[str, Any]) -> None:
        """Note why there is nothing to read now: with a status, or in a stream that was begun."""
        story, status = self.story, problem["status"]
        story.statuses[status] += 1
        if status == httpx.codes.NOT_FOUND and self.question.may_be_lost:
            story.unknown = True
        elif status in RETRIED:
            story.refused += 1
        else:
            story.faults.append(f"got {status}: {problem}")

    async def _read(self, response: httpx.Response, leave_after: int | None) -> None:
        count = 0
        async for event in events(response.aiter_bytes()):
            if not event.id:
                self._kept_from_it(event.body["problem"])
                return
            self.story.live.take(*event)
            if event.type == "start":
                self.story.thread_id = event.body["thread_id"]
            if event.type in ("restart", "gap") and self.recovery:
                self.recovery.told(self.story.run_id, self.story.live.cursor[0])
            count += 1
            if leave_after is not None and count > leave_after and event.type != "end":
                self.story.left += 1
                return
        if not self.story.live.ends:
            self.story.cut += 1

    async def _same_when_read_again(self) -> bool:
        """Check that the run reads the same from its start, and as JSON; False when nobody could be asked."""
        story, url = self.story, self.rng.choice(self.urls)
        again = Transcript(self.question.tokens)
        try:
            response = await self.http.get(f"{url}/api/runs/{story.run_id}", timeout=5)
            state = response.raise_for_status().json()
            headers = {"last-event-id": "-1"}
            async with self.http.stream(
                "GET", f"{url}/api/runs/{story.run_id}/stream", headers=headers, timeout=5
            ) as replay:
                async for event in events(replay.raise_for_status().aiter_bytes()):
                    again.take(*event)
        except (httpx.TransportError, httpx.HTTPStatusError):
            return False
        again.finish()
        story.faults += [f"when read again: {fault}" for fault in again.faults]
        live = story.live
        if (again.text, again.status, again.cursor) != (live.text, live.status, live.cursor):
            story.faults.append(f"read again it ended at {again.cursor}, read live at {live.cursor}")
        if (state["text"], state["state"]) != (live.text, live.status):
            story.faults.append(
                f"its state is {state['state']}, its text has {len(state['text'])} characters"
            )
        if state["last_event_id"] != f"{live.cursor[0]}-{live.cursor[1]}":
            story.faults.append(f"its last_event_id is {state['last_event_id']}, not {live.cursor}")
        return True
