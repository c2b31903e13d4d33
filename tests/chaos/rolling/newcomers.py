"""New requests that come all the time: what they are answered, and how long they wait for it."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx

from tests.chaos.rolling.askers import Stage

DEADLINE = 20.0  # seconds within which every small request has to be answered, one way or the other
ROW = 30  # answers in a row that count as recovered: of every replica, that is


@dataclass(slots=True)
class Newcomers:
    """Asks a small question every so many seconds, whatever became of those before."""

    http: httpx.AsyncClient
    url: str
    stage: Stage
    every: float
    statuses: dict[str, Counter[str]] = field(default_factory=dict)
    slowest: dict[str, float] = field(default_factory=dict)
    in_a_row: int = 0

    async def come(self) -> None:
        """Ask until cancelled; then wait for those that are on their way."""
        async with asyncio.TaskGroup() as group:
            while self.stage.asking:
                group.create_task(self._ask(self.stage.phase))
                await asyncio.sleep(self.every)

    async def _ask(self, phase: str) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(DEADLINE):
                response = await self.http.post(f"{self.url}/api/chat", json={"query": "[say hi]"})
                status = str(response.status_code)
        except TimeoutError:
            status = "hung"
        except httpx.TransportError as error:
            status = type(error).__name__
        took = time.monotonic() - began
        phase = phase if self.stage.phase == "calm" else self.stage.phase  # a fault came while it waited
        self.statuses.setdefault(phase, Counter())[status] += 1
        self.slowest[phase] = max(self.slowest.get(phase, 0.0), took)
        self.in_a_row = self.in_a_row + 1 if status == "200" else 0

    async def served(self, seconds: float) -> float:
        """Return after how many seconds many in a row were served. Raises TimeoutError when it takes longer."""
        began, self.in_a_row = time.monotonic(), 0
        async with asyncio.timeout(seconds):
            while self.in_a_row < ROW:
                await asyncio.sleep(0.05)
        return time.monotonic() - began
