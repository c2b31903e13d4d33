"""The runs that this process executes: each from its first event to its end, or to where it is given up."""

import asyncio
import time
from collections.abc import Collection, Mapping
from typing import Any

import structlog
from langchain_core.runnables import Runnable
from langchain_core.utils.uuid import uuid7
from langgraph.checkpoint.base import BaseCheckpointSaver
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gatehouse.limits.reservations import Reservations, Settlement
from gatehouse.models.asking import asked_for
from gatehouse.models.errors import ModelFailed
from gatehouse.problems.draining import Restarting
from gatehouse.problems.errors import ApiError, RunFailed
from gatehouse.problems.models import problem_of
from gatehouse.runs.conversation.history import History
from gatehouse.runs.events import Record, Restart, Status
from gatehouse.runs.lifecycle.attempts import NO_RESERVATION, Attempts
from gatehouse.runs.lifecycle.control import Control
from gatehouse.runs.lifecycle.execution import Execution, ExecutionLimits, Halted
from gatehouse.runs.lifecycle.keeping import keep_answer
from gatehouse.runs.lifecycle.outcome import last_records, outcome, timing
from gatehouse.runs.log.log import RETRY_SECONDS, LogWriter
from gatehouse.runs.observing import RunObserver
from gatehouse.runs.records import RunRecord, load
from gatehouse.runs.sources.steps import is_stepwise
from gatehouse.runs.sources.tap import Tap
from gatehouse.runs.unobserved import Unobserved
from gatehouse.settings.engine import EngineSettings

log = structlog.get_logger(__name__)

CLEAN_SECONDS = 5.0  # in which a tool that is at work may return before its run is handed over
CLOSE_SECONDS = 5.0
RESERVATION_LEASES = (
    3.5  # an orphan is taken over within two leases and a half: until then it keeps its place
)


class Conductor:
    """Executes attempts at runs. `owner` is this process's name in their leases."""

    def __init__(
        self,
        redis: Redis,
        runnables: Mapping[str, Runnable[Any, Any]],
        history: History,
        checkpoints: BaseCheckpointSaver[Any],
        settings: EngineSettings,
        observer: RunObserver | None = None,
    ) -> None:
        self.owner = str(uuid7())
        self.redis = redis
        self.runnables = runnables
        self.history = history
        self.checkpoints = checkpoints
        self.settings = settings
        self.observer = observer or Unobserved()
        self.writer = LogWriter(redis, self._lost)
        self.attempts = Attempts(redis, self.owner, settings.lease, settings.keep)
        self.control = Control(redis)
        self.reservations = Reservations(redis, RESERVATION_LEASES * settings.lease)
        self.local: dict[str, Execution] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.closing = False

    async def begin(self, run: RunRecord, tap: Tap | None) -> None:
        """Store a new run and execute its first attempt."""
        held_until = time.monotonic() + self.settings.lease
        await self.attempts.create(run)
        self.observer.started(run)
        self._execute(run, held_until, tap)

    async def revive(self, run_id: str) -> None:
        """Make the next attempt at a run whose process is gone. Does nothing if it has one."""
        known = await load(self.redis, run_id)
        # during a rolling update a run may be of a runnable that only other processes have
        if self.closing or known is None or known.runnable not in self.runnables:
            return
        held_until = time.monotonic() + self.settings.lease
        if not await self.attempts.take(run_id):
            return
        run = await load(self.redis, run_id)
        if run is None or run_id in self.local:
            return
        log.warning("run restarted", run_id=run_id, attempt=run.attempt)
        self.observer.restarted(run)
        if run.reservation is not None:
            self.reservations.adopt(run.principal, run.reservation)
        self._execute(run, held_until, None)

    def stop(self, run_id: str) -> None:
        """Cancel a run of this process; one of another is left alone."""
        if execution := self.local.get(run_id):
            execution.halt("cancelled")

    async def close(self) -> None:
        """Hand the runs of this process over, each at a clean point: another may take them at once.

        A run without grace is ended instead: its caller is gone with this process, and nobody else reads it.
        """
        self.closing = True
        for execution in list(self.local.values()):
            execution.leave("handover" if execution.run.grace else "restarting")
        busy = [item for item in self.local.values() if item.stop is None]  # with a tool, or with their end
        await ended_within(CLEAN_SECONDS, [item.task for item in busy if item.task is not None])
        for execution in busy:
            execution.halt(execution.leaving or "handover")
        late = await ended_within(CLOSE_SECONDS, self.tasks)
        for task in late:  # Redis is away, or a runnable does not stop: the leases run out by themselves
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _execute(self, run: RunRecord, held_until: float, tap: Tap | None) -> None:
        limits = ExecutionLimits(self.settings.recursion_limit, self.settings.feed_size)
        execution = Execution(run, self.runnables[run.runnable], self.writer, limits, held_until)
        self.local[run.id] = execution
        execution.task = asyncio.create_task(self._conduct(execution, tap), name=f"run {run.id}")
        self.tasks.add(execution.task)
        execution.task.add_done_callback(self.tasks.discard)

    async def _conduct(self, execution: Execution, tap: Tap | None) -> None:
        """Execute an attempt from its first event to the end of the run, or to where it is given up."""
        status: Status = "cancelled"
        failure: ApiError | None = None
        try:
            with self.observer.attempt(execution.run) as execution.meter.observer:
                status, failure = await self._attempt(execution, tap)
                if execution.given_up or not await self._finish(execution, status, failure):
                    await self._give_up(execution)
        finally:
            self._forget(execution)
            if tap is not None:
                tap.end(failure or (None if status == "completed" else self._stopped(execution)))

    def _stopped(self, execution: Execution) -> ApiError:
        """Return what is told to the caller of a run that is not finished here."""
        if execution.stop != "handover":
            return RunFailed("The run was stopped.")
        return Restarting("This server is being restarted. The run goes on elsewhere: join it by its id.")

    async def _attempt(self, execution: Execution, tap: Tap | None) -> tuple[Status, ApiError | None]:
        """Execute an attempt and return how it ended."""
        asked_for(execution.run.principal.tenant_id, execution.run.principal.user_id)
        try:
            self._open(execution)
            await execution.produce(self._history_of(execution.run), tap)
        except Halted:
            return "cancelled", None
        except ApiError as error:
            return "failed", error
        except ModelFailed as failure:  # gatehouse.models.calls has logged what it was
            return "failed", problem_of(failure)
        except Exception:
            log.exception("run failed", run_id=execution.run.id, runnable=execution.run.runnable)
            return "failed", RunFailed()
        return "completed", None

    def _open(self, execution: Execution) -> None:
        """Emit the first event of the attempt. Raises for a run that must not be executed again."""
        run = execution.run
        if run.attempt == 1:
            execution.emit(execution.start_event())
            return
        execution.emit(Restart(content="The process that executed this run is gone.", attempt=run.attempt))
        if run.cancel:
            raise Halted
        if run.attempt - run.handovers > self.settings.max_attempts:
            raise RunFailed("The run was lost too often. Start it again.")

    def _history_of(self, run: RunRecord) -> Any:
        async def history() -> dict[str, Any]:
            if run.thread_id is None or run.opens_thread:
                return {}
            return {"history": await self.history.before(run)}

        return history

    async def _finish(self, execution: Execution, status: Status, failure: ApiError | None) -> bool:
        """Store the answer and end the run; False when that is another process's to do."""
        await execution.settle()
        await self.writer.flushed()
        if execution.given_up:
            return False
        ended, took = outcome(execution, status, failure), timing(execution)
        if ended.thread_id is not None:
            await keep_answer(self.history, self.redis, execution, ended)
        last = last_records(execution, ended)
        finished = await self._end(execution, ended, last)
        if finished:
            for item in last:
                execution.feed.append(item)
            self.observer.ended(ended, took)
            await self._clean_up(ended)
        return finished

    async def _end(self, execution: Execution, ended: RunRecord, last: list[Record]) -> bool:
        """Try until the end of the run is in Redis; False when the run is given up before."""
        settlement = await self._settlement(ended)
        while True:
            try:
                return await self.attempts.finish(ended, last, settlement)
            except (RedisError, OSError) as error:
                log.warning("run cannot be ended", run_id=ended.id, error=type(error).__name__)
            if execution.given_up:
                return False
            await asyncio.sleep(RETRY_SECONDS)

    async def _settlement(self, ended: RunRecord) -> Settlement:
        """Return what gives back, together with the end of a run, what it has of its caller's limits."""
        if ended.reservation is None:
            return NO_RESERVATION
        return await self.reservations.settlement(
            ended.principal, ended.reservation, ended.usage.total_tokens
        )

    async def _clean_up(self, ended: RunRecord) -> None:
        """Let go of what lives only as long as a run: its thread's turn and its checkpoints."""
        try:
            if ended.thread_id is not None:
                await self.control.leave_thread(ended)
            if is_stepwise(self.runnables[ended.runnable]):
                await self.checkpoints.adelete_thread(ended.id)
        except (RedisError, OSError) as error:  # the run has ended well: what is left expires or is replaced
            log.warning("run could not be cleaned up", run_id=ended.id, error=type(error).__name__)
        except Exception:
            log.exception("run could not be cleaned up", run_id=ended.id)

    async def _give_up(self, execution: Execution) -> None:
        """Leave the run to another process; one that is handed over can be taken at once."""
        if execution.stop == "handover":
            await self.writer.flushed()
            await self.attempts.release(execution.run.id)

    def _forget(self, execution: Execution) -> None:
        if execution.run.reservation is not None:
            self.reservations.drop(execution.run.reservation)
        if self.local.get(execution.run.id) is execution:
            del self.local[execution.run.id]
        execution.feed.close()

    def _lost(self, run_id: str, attempt: int) -> None:
        execution = self.local.get(run_id)
        if execution is not None and execution.run.attempt == attempt:
            log.warning("run lost to another process", run_id=run_id, attempt=attempt)
            execution.halt("lost")


async def ended_within(
    seconds: float, tasks: Collection[asyncio.Task[None]]
) -> Collection[asyncio.Task[None]]:
    """Return the tasks that have not ended after so many seconds."""
    if not tasks:
        return ()
    _, late = await asyncio.wait(tasks, timeout=seconds)
    return late
