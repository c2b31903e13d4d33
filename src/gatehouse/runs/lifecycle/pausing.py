"""Ends attempts whose runs wait for people: what they ask is kept, and nothing held until it is decided."""

import asyncio
from dataclasses import dataclass, replace
from math import ceil
from typing import Any, Literal

import structlog
from redis.exceptions import RedisError

from gatehouse.limits.reservations import Reservations
from gatehouse.runs.events import End, Event, Record
from gatehouse.runs.lifecycle.attempts import NO_RESERVATION, Attempts
from gatehouse.runs.lifecycle.execution import Execution
from gatehouse.runs.lifecycle.outcome import outcome, records_after
from gatehouse.runs.log.log import RETRY_SECONDS, LogWriter
from gatehouse.runs.log.writers import LogWriters
from gatehouse.runs.records import RunRecord
from gatehouse.runs.waits import Opened, ThreadGone, Waits, WaitsAway
from gatehouse.storage.redis.words import words_of

log = structlog.get_logger(__name__)

Paused = Literal["waits", "cancelled", "lost"]


@dataclass(frozen=True, slots=True)
class Pausing:
    """Ends the attempts of one process that ask people."""

    writers: LogWriter | LogWriters
    attempts: Attempts
    reservations: Reservations
    waits: Waits
    deadline: float

    async def pause(self, execution: Execution) -> Paused:
        """Keep what the run asks, and let it wait; `cancelled` when it is to end instead. Raises CannotAsk.

        What is asked is kept first: nobody sees a run wait for what cannot be decided. A process that is gone
        between the two leaves an orphan, whose next attempt asks the same.
        """
        await execution.settle()
        await self.writers.of(execution.run.id).flushed()
        run = outcome(execution, "waiting", None)
        try:
            opened = await self._opened(execution, run)
        except ThreadGone:
            return "cancelled"
        if opened is None:
            return "lost"
        events: list[Event] = [*opened.events, End(status="waiting")]
        last = records_after(execution.top, events)
        paused = await self._end(execution, replace(run, text_cursor=last[-1].cursor), last, opened.seconds)
        if paused == "waits":
            execution.waits_for = [event.approval["id"] for event in opened.events]
            for item in last:
                execution.feed.append(item)
        return paused

    async def paused(self, run: RunRecord) -> None:
        """Go on at once with what was decided while the attempt was ending. Never raises."""
        try:
            await self.waits.paused(run)
        except (WaitsAway, RedisError, OSError) as error:  # the next sweep finds it
            log.warning("a run that may go on waits", run_id=run.id, error=type(error).__name__)

    async def _opened(self, execution: Execution, run: RunRecord) -> Opened | None:
        """Keep what is asked, however long its store is away; None when the run is given up before."""
        asked = execution.asked.asked if execution.asked else ()
        while not execution.given_up:
            try:
                return await self.waits.open(run, asked, execution.tool_starts)
            except WaitsAway as error:
                log.warning("a run waits to ask", run_id=run.id, error=str(error))
                await asyncio.sleep(RETRY_SECONDS)
        return None

    async def _end(self, execution: Execution, run: RunRecord, last: list[Record], seconds: float) -> Paused:
        known: dict[int, Paused] = {0: "lost", 1: "waits", 2: "cancelled"}
        settlement: Any = NO_RESERVATION
        if run.reservation is not None:
            used = run.usage.total_tokens - execution.run.usage.total_tokens
            settlement = await self.reservations.settlement(run.principal, run.reservation, used)
        while not execution.given_up:
            try:
                keep = ceil(seconds + self.deadline + self.attempts.keep)
                return known[await self.attempts.wait(run, last, settlement, keep)]
            except (RedisError, OSError) as error:
                log.warning(
                    "run cannot be paused", run_id=run.id, error=type(error).__name__, **words_of(error)
                )
                await asyncio.sleep(RETRY_SECONDS)
        return "lost"
