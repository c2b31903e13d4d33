"""The runs that this process executes: each from its first event to its end, or to where it is given up."""

import asyncio
import time
from collections.abc import Collection, Coroutine, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, cast

import structlog
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.utils.uuid import uuid7
from langgraph.checkpoint.base import BaseCheckpointSaver
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gatehouse.background import uninterrupted
from gatehouse.limits.admission import Admission
from gatehouse.limits.reservations import NOTHING_HELD, Reservations, adopted
from gatehouse.models.asking import asked_for
from gatehouse.problems.approvals import ApprovalRequired
from gatehouse.problems.draining import Drain, Restarting
from gatehouse.problems.errors import ApiError, RunFailed
from gatehouse.problems.stores import ThreadAway
from gatehouse.runs.answer_cache import AnswerCache
from gatehouse.runs.checkpoints.leftovers import Leftovers
from gatehouse.runs.clock import Clock
from gatehouse.runs.conversation.history import History, HistoryAway
from gatehouse.runs.conversation.places import StatePlace
from gatehouse.runs.events import Restart, Status
from gatehouse.runs.lifecycle.asking import Asking
from gatehouse.runs.lifecycle.clustered import attempts_of
from gatehouse.runs.lifecycle.containing import inside_run
from gatehouse.runs.lifecycle.control import Control
from gatehouse.runs.lifecycle.ending import Ending
from gatehouse.runs.lifecycle.execution import Execution, ExecutionLimits, Halted, execution_of_context
from gatehouse.runs.lifecycle.failures import failure_of
from gatehouse.runs.lifecycle.keeping import Keeping
from gatehouse.runs.lifecycle.outcome import why_over
from gatehouse.runs.lifecycle.pausing import Pausing
from gatehouse.runs.lifecycle.undoing import NotStored, Undoing
from gatehouse.runs.log.log import RETRY_SECONDS
from gatehouse.runs.log.writers import log_writers
from gatehouse.runs.observing import RunObserver
from gatehouse.runs.records import RunRecord, load
from gatehouse.runs.sources.serving import Serving, serving_of
from gatehouse.runs.sources.tap import Tap
from gatehouse.runs.unobserved import Unobserved
from gatehouse.runs.waits import NobodyDecides, Waits, WaitsAway
from gatehouse.settings.engine import EngineSettings
from gatehouse.storage.tenancy import tenant_of_context

log = structlog.get_logger(__name__)

CLEAN_SECONDS = 5.0  # in which a tool that is at work may return before its run is handed over
CLOSE_SECONDS = 5.0
# An orphan is taken over within two leases and a half, and keeps its place until then
RESERVATION_LEASES = 3.5


async def refuse(_value: Any) -> None:
    """Refuse: `Conductor.revive` leaves what would be executed to the processes that serve it."""
    raise RunFailed


NOT_SERVED: Runnable[Any, Any] = RunnableLambda(refuse)


class Beginning:
    """A start that is under way, for the current task: what comes of it is told by the task of the run."""

    def __init__(self) -> None:
        self._caller = cast("asyncio.Task[Any]", asyncio.current_task())
        self._cancelled_before = self._caller.cancelling()
        self._told = asyncio.Event()
        self._error: BaseException | None = None

    @property
    def left(self) -> bool:
        """Whether the caller was cancelled, also where it does not know that yet."""
        return self._caller.cancelling() > self._cancelled_before

    def tell(self, error: BaseException | None) -> None:
        self._error = error
        self._told.set()

    async def told(self) -> None:
        """Return when Redis has the run, come what may. Raises the error why it has not."""
        while not self._told.is_set():
            with suppress(asyncio.CancelledError):
                await self._told.wait()
        if self._error is not None:
            raise self._error


class Conductor:
    """Executes attempts at runs. `owner` is this process's name in their leases."""

    def __init__(
        self,
        redis: Redis,
        runnables: Mapping[str, Runnable[Any, Any] | Serving],
        history: History,
        checkpoints: BaseCheckpointSaver[Any],
        settings: EngineSettings,
        observer: RunObserver | None = None,
        waits: Waits | None = None,
    ) -> None:
        self.waits = waits or NobodyDecides()
        self.owner = str(uuid7())
        self.redis = redis
        self.runnables = runnables
        self.history = history
        self.settings = settings
        self.observer = observer or Unobserved()
        self.writer = log_writers(redis, self._lost)
        self.clock = Clock()
        self.attempts = attempts_of(redis, self.owner, settings.lease, settings.keep, self.clock)
        self.control = Control(redis)
        self.drain = Drain()
        self.reservations = Reservations(redis, RESERVATION_LEASES * settings.lease)
        self.undoing = Undoing(self.attempts, history, self.reservations)
        self.keeping = Keeping(redis, history)
        self.leftovers = Leftovers(redis, checkpoints, self.waits)
        self.ending = Ending(
            runnables, self.writer, self.attempts, self.reservations, self.keeping, self.leftovers,
            self.observer, self.waits,
        )  # fmt: skip
        self.pausing = Pausing(
            self.writer, self.attempts, self.reservations, self.waits, settings.deadline
        )  # fmt: skip
        self.cache = AnswerCache(redis, checkpoints.serde, self.observer)
        self.maybe_taken: set[str] = set()
        self.local: dict[str, Execution] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.closing = False

    async def begin(
        self, run: RunRecord, tap: Tap | None, claim: str = "", admission: Admission | None = None
    ) -> bool:
        """Store a new run and execute its first attempt; True when the caller was cancelled meanwhile.

        `claim` is what its Idempotency-Key says. Then a run without grace is executed for nobody, and is
        cancelled before it begins. `admission` is charged for it in the same step (None: that was done).
        Raises NotStored, LimitReached.
        """
        start = Beginning()
        self._own(self._begin(start, run, tap, claim, admission), run.id)
        try:
            await start.told()
        except (RedisError, OSError) as error:
            raise NotStored from error
        if start.left and not run.grace:
            self.stop(run.id)  # who left when it had begun
        return start.left

    async def _begin(
        self,
        start: Beginning,
        run: RunRecord,
        tap: Tap | None,
        claim: str,
        admission: Admission | None,
    ) -> None:
        """Store a new run and execute it: in one task, so that it goes on with Redis's answer itself."""
        held_until = time.monotonic() + self.settings.lease
        try:
            if not await self._stored(run, claim, admission):
                raise NotStored
            self.observer.started(run)
            execution = self._execution(run, held_until)
        except BaseException as error:
            start.tell(error)
            return
        start.tell(None)
        await asyncio.sleep(0)  # the caller goes on first: it may be about to stop the run, or to follow it
        await self._conduct(execution, tap)

    async def _stored(self, run: RunRecord, claim: str, admission: Admission | None) -> bool:
        """Store a new run; False when it was undone before. Raises LimitReached, and what Redis raises."""
        if admission is None or run.reservation is None:
            hold = self.reservations.hold(run.principal, run.reservation)
            return await self.attempts.create(run, hold, claim)
        store = partial(self.attempts.create_admitted, run, run.reservation, claim)
        return await admission.begin(run.reservation, store)

    async def revive(self, run_id: str) -> None:
        """Make the next attempt at a run whose process is gone. Does nothing if it has one.

        One that is not to be executed again is ended, also by a process that does not serve its runnable;
        any other is left alone by a process that is about to end.
        """
        await uninterrupted(self._revive(run_id))

    async def _revive(self, run_id: str) -> None:
        known = await load(self.redis, run_id)
        if self.closing or known is None or known.state != "running" or run_id in self.local:
            return
        following = replace(known, attempt=known.attempt + 1)
        over = why_over(following, self.settings.max_attempts, self.clock.now())
        # during a rolling update a run may be of a runnable that only other processes have
        if over is None and (self.drain.leaving or known.runnable not in self.runnables):
            return
        held_until = time.monotonic() + self.settings.lease
        if not await self._taken(known, over):
            return
        run = await load(self.redis, run_id)
        if run is None or run_id in self.local:
            return
        if not run.after_wait:
            log.warning("run restarted", run_id=run_id, attempt=run.attempt)
            self.observer.restarted(run)
        if run.reservation is not None:
            self.reservations.adopt(run.principal, run.reservation)
        self._execute(run, held_until)

    async def _taken(self, known: RunRecord, over: Exception | None) -> bool:
        """Take the next attempt, with the run's place in the limits when it is to be executed."""
        hold = NOTHING_HELD
        if over is None and known.reservation is not None:
            hold = self.reservations.hold(known.principal, adopted(known.reservation))
        try:
            taken = await self.attempts.take(known.id, hold)
        except (RedisError, OSError):
            self.maybe_taken.add(known.id)
            raise
        if taken < 0:
            log.warning("orphan waits: its caller's limits have no room for it", run_id=known.id)
        return taken > 0

    async def settle_doubts(self) -> None:
        """Undo the starts, and go on with the attempts, of which Redis had not said whether it has them."""
        await self.undoing.go_on()
        for run_id in list(self.maybe_taken):
            self.maybe_taken.discard(run_id)
            if await self.attempts.owner_of(run_id) == self.owner:
                await self.revive(run_id)

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

    def _execute(self, run: RunRecord, held_until: float) -> None:
        """Execute an attempt at a run that another process began."""
        self._own(self._conduct(self._execution(run, held_until), None), run.id)

    def _own(self, work: Coroutine[Any, Any, None], run_id: str) -> None:
        task = asyncio.create_task(work, name=f"run {run_id}")
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _execution(self, run: RunRecord, held_until: float) -> Execution:
        """Return the attempt at a run that is about to begin here."""
        runnable = serving_of(self.runnables.get(run.runnable, NOT_SERVED))
        steps = min(self.settings.recursion_limit, runnable.own_step_limit or self.settings.recursion_limit)
        limits = ExecutionLimits(steps, self.settings.feed_size)
        execution = Execution(
            run, runnable, self.writer.of(run.id), limits, self.clock, held_until, self.cache
        )  # fmt: skip
        self.local[run.id] = execution
        return execution

    async def _conduct(self, execution: Execution, tap: Tap | None) -> None:
        """Execute an attempt from its first event to the end of the run, or to where it is given up."""
        status: Status = "cancelled"
        failure: ApiError | None = None
        execution.task = asyncio.current_task()
        inside_run.set(True)  # in the context of this task, and of all that are made in it
        tenant_of_context.set(execution.run.principal.tenant_id)
        execution_of_context.set(execution)
        asking = Asking(execution, self.history, self.attempts)
        try:
            with self.observer.attempt(execution.run) as execution.meter.observer:
                status, failure = await self._attempt(execution, asking, tap)
                await asking.settle()
                if status == "waiting" and execution.waits_for:
                    await self.pausing.paused(execution.run)
                elif (
                    status == "waiting"
                    or execution.given_up
                    or not await self.ending.finish(execution, status, failure)
                ):
                    await self._give_up(execution, asking)
        finally:
            asking.close()
            self._forget(execution)
            if tap is not None:
                tap.end(failure or (None if status == "completed" else self._stopped(execution)))

    def _stopped(self, execution: Execution) -> ApiError:
        """Return what is told to the caller of a run that is not finished here."""
        if execution.waits_for:
            return ApprovalRequired(execution.run.id, list(execution.waits_for))
        if execution.stop != "handover":
            return RunFailed("The run was stopped.")
        return Restarting("This server is being restarted. The run goes on elsewhere: join it by its id.")

    async def _attempt(
        self, execution: Execution, asking: Asking, tap: Tap | None
    ) -> tuple[Status, ApiError | None]:
        """Execute an attempt and return how it ended."""
        asked_for(execution.run.principal.tenant_id, execution.run.principal.user_id)
        try:
            await self._hear_answers(execution)
            self._open(execution)
            await asking.begin()
            await execution.produce(self._history_of(execution.run), tap)
            if execution.asked is not None:
                await asking.store()
                return await self._pause(execution)
        except Halted:
            return "cancelled", None
        except Exception as error:
            return "failed", failure_of(error, execution.run, execution.limits.recursion)
        return "completed", None

    async def _pause(self, execution: Execution) -> tuple[Status, None]:
        """Let the run wait, and return that it does; or that it is to be ended instead."""
        paused = await self.pausing.pause(execution)
        return ("cancelled" if paused == "cancelled" else "waiting"), None

    async def _hear_answers(self, execution: Execution) -> None:
        """Find what was decided for the run, however long the store of that is away."""
        run = execution.run
        if run.attempt == 1 or not execution.serving.keeps_checkpoints:
            return
        while execution.stop is None and self.clock.now() < run.deadline:
            try:
                execution.answers = await self.waits.answers(run)
            except WaitsAway as error:
                log.warning("a run waits for its answers", run_id=run.id, error=str(error))
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    def _open(self, execution: Execution) -> None:
        """Emit the first event of the attempt. Raises for a run that must not be executed again."""
        run = execution.run
        if run.attempt == 1:
            execution.emit(execution.start_event())
            return
        if not run.after_wait:
            gone = "The process that executed this run is gone."
            execution.emit(Restart(content=gone, attempt=run.attempt))
        for decided in execution.answers.events:
            execution.emit(decided)
        if over := why_over(run, self.settings.max_attempts, self.clock.now()):
            raise over

    def _history_of(self, run: RunRecord) -> Any:
        async def history() -> dict[str, Any]:
            if run.thread_id is None:
                return {}
            files = {"files": await self.history.files(run)} if run.attachments else {}
            keeps_state = serving_of(self.runnables[run.runnable]).keeps_state
            if run.opens_thread:
                return {**files, "place": StatePlace(run.id)} if keeps_state else files
            with suppress(HistoryAway):  # then it cannot tell what came before either
                await self.keeping.keep_waiting()
            if keeps_state:
                return {**files, "place": await self.history.place(run)}
            return {**files, "history": await self.history.before(run)}

        return history

    async def _give_up(self, execution: Execution, asking: Asking) -> None:
        """Leave the run to another process; one that is handed over can be taken at once."""
        run = execution.run
        if execution.stop == "handover":
            with suppress(ThreadAway):  # the run's record has the question
                await asking.store()
            await self.writer.of(run.id).flushed()
            await self.attempts.release(run.id)
        elif execution.stop == "lost":
            with suppress(RedisError, OSError):  # it counts as lost, then
                await self.attempts.excuse(run.id, run.attempt)

    def _forget(self, execution: Execution) -> None:
        if execution.run.reservation is not None:
            self.reservations.drop(execution.run.reservation)
        if self.local.get(execution.run.id) is execution:
            del self.local[execution.run.id]
        execution.feed.close()

    def lose(self, execution: Execution) -> None:
        """Give up a run that another process has, and what it holds with it: that is the other's to renew."""
        execution.halt("lost")
        if execution.run.reservation is not None:
            self.reservations.drop(execution.run.reservation)

    def _lost(self, run_id: str, attempt: int) -> None:
        execution = self.local.get(run_id)
        if execution is not None and execution.run.attempt == attempt:
            log.warning("run lost to another process", run_id=run_id, attempt=attempt)
            self.lose(execution)


async def ended_within(
    seconds: float, tasks: Collection[asyncio.Task[None]]
) -> Collection[asyncio.Task[None]]:
    """Return the tasks that have not ended after so many seconds."""
    if not tasks:
        return ()
    _, late = await asyncio.wait(tasks, timeout=seconds)
    return late
