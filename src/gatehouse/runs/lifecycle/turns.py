"""One run a thread at a time: who waits, who is turned away, who replaces whom."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

from gatehouse.problems.errors import Conflict
from gatehouse.runs.clock import Clock
from gatehouse.runs.lifecycle.control import Control
from gatehouse.runs.records import RunRecord

POLL = 0.1  # seconds

Multitask = Literal["reject", "enqueue", "interrupt"]


class Turns:
    """Gives threads to runs. `cancel` stops the run before, for one that interrupts."""

    def __init__(
        self, control: Control, clock: Clock, seconds: float, cancel: Callable[[str], Awaitable[None]]
    ) -> None:
        """`seconds` is how long a run may have its thread: its deadline."""
        self._control = control
        self._clock = clock
        self._seconds = seconds
        self._cancel = cancel

    async def take(self, run: RunRecord, multitask: Multitask) -> None:
        """Return when the thread is this run's. Raises Conflict when it is not to wait or waited too long."""
        try:
            while before := await self._control.claim_thread(run, self._seconds):
                if multitask == "reject":
                    raise Conflict("This thread has a run that has not ended.", run_id=before)
                if multitask == "interrupt":
                    await self._cancel(before)
                if self._clock.now() > run.deadline:
                    raise Conflict("The thread did not become free in time.", run_id=before)
                await asyncio.sleep(POLL)
        except BaseException:
            await self.leave(run)
            raise

    async def leave(self, run: RunRecord) -> None:
        """Give the thread back, or the place in its queue."""
        await self._control.leave_thread(run)
