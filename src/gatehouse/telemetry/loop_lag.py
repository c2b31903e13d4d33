"""How late the event loop is, sampled by one task; and whether it goes on at all."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from gatehouse.background import in_background
from gatehouse.telemetry.metrics import Metrics

EVERY = 0.5  # seconds
STUCK_AFTER = 30.0


class LoopWatch:
    """Wakes twice a second, and sets the gauges that nobody needs to know more often."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._woke = time.monotonic()

    def alive(self) -> bool:
        """Tell whether the loop woke within the last 30 s. May be asked from any thread."""
        return time.monotonic() - self._woke < STUCK_AFTER

    @asynccontextmanager
    async def going_on(self, pending: Callable[[], int], viewers: Callable[[], int]) -> AsyncIterator[None]:
        """Sample while the context is open; `pending` and `viewers` are what the gauges then show."""
        async with in_background(event_loop_lag=self._sample(pending, viewers)):
            yield

    async def _sample(self, pending: Callable[[], int], viewers: Callable[[], int]) -> None:
        while True:
            self._woke = time.monotonic()
            self._metrics.pending_events.set(pending())
            self._metrics.viewers.set(viewers())
            await asyncio.sleep(EVERY)
            self._metrics.loop_lag.observe(max(0.0, time.monotonic() - self._woke - EVERY))
