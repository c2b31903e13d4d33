"""Ends runs: the answer into the thread, the last records, what was held, and what lives only as long."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from langchain_core.runnables import Runnable
from redis.exceptions import RedisError

from gatehouse.limits.reservations import Reservations, Settlement
from gatehouse.problems.errors import ApiError
from gatehouse.problems.stores import ThreadAway
from gatehouse.runs.checkpoints.leftovers import Leftovers
from gatehouse.runs.events import EffectUnknown, Record, Status
from gatehouse.runs.lifecycle.attempts import NO_RESERVATION, Attempts
from gatehouse.runs.lifecycle.execution import Execution
from gatehouse.runs.lifecycle.keeping import Keeping
from gatehouse.runs.lifecycle.outcome import last_records, outcome, timing
from gatehouse.runs.log.log import RETRY_SECONDS, LogWriter
from gatehouse.runs.log.writers import LogWriters
from gatehouse.runs.observing import RunObserver
from gatehouse.runs.records import RunRecord
from gatehouse.runs.sources.serving import Serving, serving_of
from gatehouse.runs.waits import Waits, WaitsAway
from gatehouse.storage.redis.words import words_of

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ending:
    """Ends the runs of one process."""

    runnables: Mapping[str, Runnable[Any, Any] | Serving]
    writers: LogWriter | LogWriters
    attempts: Attempts
    reservations: Reservations
    keeping: Keeping
    leftovers: Leftovers
    observer: RunObserver
    waits: Waits

    async def finish(self, execution: Execution, status: Status, failure: ApiError | None) -> bool:
        """Store the answer and end the run; False when that is another process's to do."""
        await execution.settle()
        await self._ask_what_is_left(execution)
        if execution.given_up:
            return False
        ended, took = outcome(execution, status, failure), timing(execution)
        waiting = b""
        if ended.thread_id is not None:
            waiting = await self.keeping.keep(execution, ended)
        if waiting and ended.asks_late and status == "completed":  # as one that could not begin is told
            ended = outcome(execution, "failed", ThreadAway())
            waiting = await self.keeping.keep(execution, ended)
        last = last_records(execution, ended)
        finished = await self._end(execution, ended, last, waiting)
        if finished:
            for item in last:
                execution.feed.append(item)
            self.observer.ended(ended, took)
            await self._clean_up(ended)
            if ended.continues or execution.asked:
                await self._forget_waiting(ended)
        return finished

    async def _ask_what_is_left(self, execution: Execution) -> None:
        """Have people asked what came of calls of which nobody knows, however long that store is away."""
        run = execution.run
        if run.attempt == 1 and not execution.acted:
            return
        while not execution.given_up:
            try:
                asked = await self.waits.ask_what_is_left(run.principal.tenant_id, run.id)
            except WaitsAway as error:
                log.warning("a run waits to say what it leaves", run_id=run.id, error=str(error))
                await asyncio.sleep(RETRY_SECONDS)
            else:
                told = {step.call_id for step in execution.steps if isinstance(step, EffectUnknown)}
                for unknown in asked:
                    if unknown.call_id not in told:
                        execution.emit(unknown)
                return

    async def _end(self, execution: Execution, ended: RunRecord, last: list[Record], waiting: bytes) -> bool:
        """Try until the end of the run is in Redis; False when the run is given up before."""
        used = ended.usage.total_tokens - execution.run.usage.total_tokens  # since it waited
        settlement = await self._settlement(ended, used)
        tenant = ended.principal.tenant_id if self._may_have_checkpoints(ended) else ""
        writer = self.writers.of(ended.id)
        unwritten = await writer.taken(ended.id, ended.attempt)
        while True:
            try:
                return await self.attempts.finish(ended, [*unwritten, *last], settlement, waiting, tenant)
            except (RedisError, OSError) as error:
                log.warning(
                    "run cannot be ended", run_id=ended.id, error=type(error).__name__, **words_of(error)
                )
            if execution.given_up:
                for item in unwritten:  # whoever makes the next attempt finds them in the log
                    writer.add(ended.id, item)
                return False
            await asyncio.sleep(RETRY_SECONDS)

    async def _settlement(self, ended: RunRecord, used: int) -> Settlement:
        """Return what gives back, together with the end of a run, what it has of its caller's limits."""
        if ended.reservation is None:
            return NO_RESERVATION
        return await self.reservations.settlement(ended.principal, ended.reservation, used)

    def _may_have_checkpoints(self, ended: RunRecord) -> bool:
        runnable = self.runnables.get(ended.runnable)
        return runnable is None or serving_of(runnable).keeps_checkpoints

    async def _forget_waiting(self, ended: RunRecord) -> None:
        try:
            await self.waits.forget(ended)
        except (WaitsAway, RedisError, OSError) as error:  # a sweep finds that it has ended
            log.warning("run could not be cleaned up", run_id=ended.id, error=type(error).__name__)

    async def _clean_up(self, ended: RunRecord) -> None:
        """Let go of what lives only as long as a run: its checkpoints."""
        try:
            if self._may_have_checkpoints(ended):
                await self.leftovers.delete(ended.id, ended.principal.tenant_id)
        except (RedisError, OSError) as error:  # the run has ended well: what is left expires or is swept
            log.warning(
                "run could not be cleaned up", run_id=ended.id, error=type(error).__name__, **words_of(error)
            )
        except Exception:
            log.exception("run could not be cleaned up", run_id=ended.id)
