"""One client that starts a run and reads it to its end, over connections that it keeps dropping."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from tests.chaos.events import events
from tests.chaos.recovery import Recovery
from tests.chaos.replicas import Replicas
from tests.chaos.transcript import BEGINNING, Transcript

STUCK_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Question:
    """What every client asks: so many tokens, with so many seconds between them."""

    tokens: int
    delay: float

    @property
    def text(self) -> str:
        return f"Count. [tokens {self.tokens}] [delay {self.delay}]"


@dataclass(slots=True)
class Story:
    """What became of one run."""

    live: Transcript
    run_id: str = ""
    seconds: float = 0
    connections: int = 0
    refused: int = 0
    silent: int = 0
    cut: int = 0
    left: int = 0
    faults: list[str] = field(default_factory=list)


class Viewer:
    """Follows one run. Which replica, how long and how patiently is for `rng` to say, and repeatable."""

    def __init__(
        self, http: httpx.AsyncClient, replicas: Replicas, recovery: Recovery, question: Question, rng: random.Random
    ) -> None:
        self.http = http
        self.replicas = replicas
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
                while not story.live.ends:
                    await self._connect()
                story.live.finish()
                self.recovery.ended(story.run_id)
                await self._read_again()
        except TimeoutError:
            story.faults.append(f"no end after {STUCK_SECONDS} s: at {story.live.cursor}")
        story.seconds = time.monotonic() - began
        return story

    async def _connect(self) -> None:
        """Read a part of the run over one connection, as far as that goes."""
        index = self.rng.randrange(len(self.replicas.servers))
        patience = self.rng.choice((1.0, 2.5, 20.0))
        leave_after = self.rng.randrange(120) if self.rng.random() < 0.7 else None
        self.story.connections += 1
        try:
            async with self._opened(index, patience) as response:
                if await self._accepted(response, index):
                    await self._read(response, leave_after)
        except httpx.ReadTimeout:
            self.story.silent += 1
        except httpx.ReadError, httpx.RemoteProtocolError:
            self.story.cut += 1
        except httpx.TransportError:
            self.story.refused += 1
        await asyncio.sleep(self.rng.uniform(1, 3) if self.rng.random() < 0.1 else self.rng.uniform(0, 0.2))
