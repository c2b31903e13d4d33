"""The engine: starts runs, executes them, shows them to viewers. It knows nothing of HTTP."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import orjson
import structlog
from langchain_core.messages import BaseMessage
from langchain_core.runnables import Runnable
from langchain_core.utils.uuid import uuid7
from langgraph.checkpoint.base import BaseCheckpointSaver
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.auth.principal import Principal
from app.errors import ApiError, Conflict, NotFound, RunFailed
from app.runs.attempts import Attempts, lease_key
from app.runs.control import STARTING_SECONDS, Control, viewers_key
from app.runs.events import BEGINNING, Cursor, Event, Gap, Record, Restart, Status, record
from app.runs.execution import Execution, Halted, Limits, Tap
from app.runs.feed import Feed
from app.runs.limits import EngineSettings
from app.runs.log import RETRY_SECONDS, LogWriter, RunLog, log_key, reraise_cancellation
from app.runs.reader import LogReader
from app.runs.records import RunRecord, load, run_key
from chains.steps import Stepwise

log = structlog.get_logger(__name__)

THREAD_POLL = 0.1
KNOWN_SECONDS = 5.0
ERASE_SECONDS = 1.0
ERASE_POLL = 0.02
CLOSE_SECONDS = 5.0

Multitask = Literal["reject", "enqueue", "interrupt"]


class History(Protocol):
    """Where a thread's messages are kept."""

    async def create(self, principal: Principal, runnable: str, value: dict[str, Any]) -> str:
        """Begin a thread whose title comes from the input, and return its id."""
        ...

    async def begin(self, run: RunRecord) -> None:
        """Store the human message of a run. Raises NotFound or Conflict when the thread can't take it."""
        ...

    async def before(self, run: RunRecord) -> list[BaseMessage]:
        """Return the thread's messages before those of `run`, oldest first, within the token budget."""
        ...

    async def keep(self, run: RunRecord, steps: list[Event]) -> None:
        """Store the answer of a run that has ended, with the tool steps among its events."""
        ...


@dataclass(frozen=True, slots=True)
class Started:
    """A run that was started, or that an Idempotency-Key found; `tap` is None when it was found."""

    run: RunRecord
    tap: Tap | None


class RunEngine:
    """Runs of one process over one Redis. `open_runs` makes one, and owns its tasks."""

    def __init__(
        self,
        redis: Redis,
        runnables: Mapping[str, Runnable[Any, Any]],
        history: History,
        checkpoints: BaseCheckpointSaver[Any],
        settings: EngineSettings,
    ) -> None:
        self.checkpoints = checkpoints
        self.redis = redis
        self.runnables = runnables
        self.history = history
        self.settings = settings
        self.owner = str(uuid7())
        self.log = RunLog(redis)
        self.writer = LogWriter(redis, self._lost)
        self.reader = LogReader(redis, self.owner, settings.feed_size, self._stop_here)
        self.attempts = Attempts(redis, self.owner, settings.lease, settings.keep)
        self.control = Control(redis)
        self.local: dict[str, Execution] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.closing = False

    async def start(
        self,
        principal: Principal,
        runnable: str,
        value: dict[str, Any],
        *,
        run_id: str | None = None,
        thread_id: str | None = None,
        new_thread: bool = False,
        grace: float = 30,
        multitask: Multitask = "reject",
        idempotency: tuple[str, bytes] | None = None,
        tap: Tap | None = None,
    ) -> Started:
        """Start a run of `runnable` (its path) and return it; its events are read with `view`.

        `new_thread` begins a thread for it. `grace` is how many seconds it goes on after its last viewer
        left. `idempotency` is a key and the request's body: the same pair from the same principal finds the
        first run instead. Raises Conflict when the thread has a run already and `multitask` is reject.
        """
        run_id = run_id or str(uuid7())
        if idempotency is not None:
            waiting = 0 if multitask == "reject" else self.settings.deadline
            seconds = waiting + STARTING_SECONDS
            first = await self.control.claim_key(principal, *idempotency, run_id, seconds)
            if first != run_id:
                return Started(await self._known(first), None)
        try:
            if new_thread:
                thread_id = await self.history.create(principal, runnable, value)
            run = await self._create(principal, runnable, value, run_id, thread_id, grace, multitask, tap)
        except BaseException:
            if idempotency is not None:
                await self.control.drop_key(principal, idempotency[0])
            raise
        if idempotency is not None:
            await self.control.keep_key(principal, idempotency[0])
        return Started(run, tap)

    async def _create(
        self,
        principal: Principal,
        runnable: str,
        value: dict[str, Any],
        run_id: str,
        thread_id: str | None,
        grace: float,
        multitask: Multitask,
        tap: Tap | None,
    ) -> RunRecord:
        now = time.time()
        run = RunRecord(
            id=run_id,
            principal=principal,
            runnable=runnable,
            input=value,
            thread_id=thread_id,
            created_at=now,
            deadline=now + self.settings.deadline,
            grace=grace,
        )
        if thread_id is not None:
            await self._claim(run, multitask)
            await self._begin(run)
        held_until = time.monotonic() + self.settings.lease
        await self.attempts.create(run)
        self._execute(run, held_until, tap)
        return run

    async def get(self, principal: Principal, run_id: str) -> RunRecord:
        """Return the caller's run, with its text so far. Raises NotFound, also for another's."""
        run = await load(self.redis, run_id)
        if run is None or not run.owned_by(principal):
            raise NotFound("There is no such run.")
        if run.finished:
            return run
        if execution := self.local.get(run_id):
            return replace(
                run, text="".join(execution.text), text_cursor=execution.top, usage=execution.meter.usage
            )
        return await self._caught_up(run)

    async def cancel(self, run_id: str) -> None:
        """Stop the run now, wherever it is executed. One that has ended stays as it is."""
        if not await self.control.mark_cancelled(run_id, "cancelled"):
            return
        if run_id in self.local:
            self._stop_here(run_id)
        elif owner := await self.attempts.owner_of(run_id):
            await self.reader.tell(owner, "cancel", run_id)
        else:
            await self.revive(run_id)

    async def view(self, run_id: str, after: Cursor = BEGINNING) -> AsyncIterator[list[Record]]:
        """Yield the run's records after the cursor, in lists of those that are ready, up to `end`.

        No record is left out: what the log no longer has is replaced by a `gap` that holds the text.
        """
        cursor = after
        while run := await load(self.redis, run_id):
            if run.finished and run_id not in self.local:
                while records := await self._logged(run_id, cursor):
                    yield records
                    cursor = records[-1].cursor
                return
            async with self._feed(run_id) as feed:
                async for records in self._follow(run_id, feed, cursor):
                    yield records
                    cursor = records[-1].cursor
                    if records[-1].type == "end":
                        return

    @contextmanager
    def watched(self, run_id: str) -> Iterator[None]:
        """Count the caller as a viewer of a run of this process."""
        execution = self.local.get(run_id)
        if execution is None:
            yield
            return
        execution.viewers += 1
        try:
            yield
        finally:
            execution.viewers -= 1
            execution.alone_since = time.monotonic()
            if not execution.viewers and not execution.run.grace:
                execution.halt("cancelled")

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
        self._execute(run, held_until, None)

    async def erase(self, run_ids: list[str]) -> None:
        """Stop these runs and forget them: their input, their log and their text."""
        for run_id in run_ids:
            await self.cancel(run_id)
        for run_id in run_ids:
            await self._until_ended(run_id)
            keys = (run_key(run_id), log_key(run_id), lease_key(run_id), viewers_key(run_id))
            await self.redis.delete(*keys)
            await self.attempts.forget(run_id)

    async def _until_ended(self, run_id: str) -> None:
        """Wait for a run that was cancelled, so that its viewers see its end and its answer is kept first."""
        until = time.monotonic() + ERASE_SECONDS
        while (run := await load(self.redis, run_id)) and not run.finished and time.monotonic() < until:
            await asyncio.sleep(ERASE_POLL)

    async def close(self) -> None:
        """Hand the runs of this process over: another may take them at once."""
        self.closing = True
        for execution in list(self.local.values()):
            execution.halt("handover")
        if not self.tasks:
            return
        _, late = await asyncio.wait(self.tasks, timeout=CLOSE_SECONDS)
        for task in late:  # Redis is away, or a runnable does not stop: the leases run out by themselves
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    # -- executing

    def _execute(self, run: RunRecord, held_until: float, tap: Tap | None) -> None:
        limits = Limits(self.settings.recursion_limit, self.settings.feed_size)
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
            status, failure = await self._attempt(execution, tap)
            if execution.given_up or not await self._finish(execution, status, failure):
                await self._give_up(execution)
        finally:
            self._forget(execution)
            if tap is not None:
                tap.end(failure or (None if status == "completed" else RunFailed("The run was stopped.")))

    async def _attempt(self, execution: Execution, tap: Tap | None) -> tuple[Status, ApiError | None]:
        """Execute an attempt and return how it ended."""
        try:
            self._open(execution)
            await execution.produce(self._history_of(execution.run), tap)
        except Halted:
            return "cancelled", None
        except ApiError as error:
            return "failed", error
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
        if run.attempt > self.settings.max_attempts:
            raise RunFailed("The run was lost too often. Start it again.")

    def _history_of(self, run: RunRecord) -> Any:
        async def history() -> dict[str, Any]:
            return {"history": await self.history.before(run)} if run.thread_id else {}

        return history

    async def _finish(self, execution: Execution, status: Status, failure: ApiError | None) -> bool:
        """Store the answer and end the run; False when that is another process's to do."""
        await execution.settle()
        await self.writer.flushed()
        if execution.given_up:
            return False
        ended = execution.outcome(status, failure)
        if ended.thread_id is not None:
            await self._keep(execution, ended)
        closing = execution.closing(ended)
        finished = await self._end(execution, ended, closing)
        if finished:
            for item in closing:
                execution.feed.append(item)
            await self._clean_up(ended)
        return finished

    async def _end(self, execution: Execution, ended: RunRecord, closing: list[Record]) -> bool:
        """Try until the end of the run is in Redis; False when the run is given up before."""
        while True:
            try:
                return await self.attempts.finish(ended, closing)
            except (RedisError, OSError) as error:
                log.warning("run cannot be ended", run_id=ended.id, error=type(error).__name__)
            if execution.given_up:
                return False
            await asyncio.sleep(RETRY_SECONDS)

    async def _keep(self, execution: Execution, ended: RunRecord) -> None:
        try:
            await self.history.keep(ended, execution.steps)
        except Exception:
            log.exception("answer could not be stored", run_id=ended.id)

    async def _clean_up(self, ended: RunRecord) -> None:
        """Let go of what lives only as long as a run: its thread's turn and its checkpoints."""
        try:
            if ended.thread_id is not None:
                await self.control.leave_thread(ended)
            if isinstance(self.runnables[ended.runnable], Stepwise):
                await self.checkpoints.adelete_thread(ended.id)
        except Exception:  # the run has ended well: what is left expires or is replaced
            log.exception("run could not be cleaned up", run_id=ended.id)

    async def _give_up(self, execution: Execution) -> None:
        """Leave the run to another process; one that is handed over can be taken at once."""
        if execution.stop == "handover":
            await self.writer.flushed()
            await self.attempts.release(execution.run.id)

    def _forget(self, execution: Execution) -> None:
        if self.local.get(execution.run.id) is execution:
            del self.local[execution.run.id]
        execution.feed.close()

    def _lost(self, run_id: str, attempt: int) -> None:
        execution = self.local.get(run_id)
        if execution is not None and execution.run.attempt == attempt:
            log.warning("run lost to another process", run_id=run_id, attempt=attempt)
            execution.halt("lost")

    def _stop_here(self, run_id: str) -> None:
        if execution := self.local.get(run_id):
            execution.halt("cancelled")

    # -- viewing

    @asynccontextmanager
    async def _feed(self, run_id: str) -> AsyncIterator[Feed]:
        """Yield where the run's newest records appear: in this process, or in Redis."""
        if run_id not in self.local and await self.attempts.owner_of(run_id) is None:
            await self.revive(run_id)  # does nothing to a run that has ended
        if execution := self.local.get(run_id):
            with self.watched(run_id):
                yield execution.feed
            return
        async with self.reader.following(run_id) as feed:
            run = await load(self.redis, run_id)
            if run is None or run.finished:
                feed.close()  # its end lies before the feed's base
            yield feed

    async def _follow(self, run_id: str, feed: Feed, cursor: Cursor) -> AsyncIterator[list[Record]]:
        """Yield records after the cursor from the log and the feed, until the feed is closed."""
        while True:
            if cursor < feed.base:
                records = await self._logged(run_id, cursor)
            else:
                records = feed.after(cursor)
            if records:
                yield records
                cursor = records[-1].cursor
            elif cursor < feed.base or feed.closed or feed.ended:
                return
            else:
                reraise_cancellation()
                await feed.changed()

    async def _logged(self, run_id: str, cursor: Cursor) -> list[Record]:
        """Return the log's records after the cursor, or a `gap` when the first of them does not follow it."""
        records = await self.log.after(run_id, cursor)
        if not records and run_id in self.local:
            await self.writer.flushed()  # they are on their way
            records = await self.log.after(run_id, cursor)
        if not records or records[0].cursor.follows(cursor):
            return records
        run = await load(self.redis, run_id)
        if run is None:
            return []
        oldest = records[0].cursor
        gap = Gap(requested=str(cursor), oldest=str(oldest), text=run.text)
        # a Redis that failed over may have lost records whose text was not saved: the viewer still goes on
        return [record(max(run.text_cursor, Cursor(oldest.attempt, oldest.sequence - 1)), gap)]

    async def _caught_up(self, run: RunRecord) -> RunRecord:
        """Return a run that another process executes, with the text that its log tells of."""
        text, cursor = run.text, run.text_cursor
        while records := await self.log.after(run.id, cursor):
            for item in records:
                if item.type == "restart":
                    text = ""
                elif item.type == "token":
                    text += orjson.loads(item.data)["content"]
            cursor = records[-1].cursor
        return replace(run, text=text, text_cursor=cursor)

    # -- threads

    async def _claim(self, run: RunRecord, multitask: Multitask) -> None:
        """Return when the thread is this run's. Raises Conflict when it is not to wait or waited too long."""
        try:
            while before := await self.control.claim_thread(run, self.settings.deadline):
                if multitask == "reject":
                    raise Conflict("This thread has a run that has not ended.", run_id=before)
                if multitask == "interrupt":
                    await self.cancel(before)
                if time.time() > run.deadline:
                    raise Conflict("The thread did not become free in time.", run_id=before)
                await asyncio.sleep(THREAD_POLL)
        except BaseException:
            await self.control.leave_thread(run)
            raise

    async def _begin(self, run: RunRecord) -> None:
        try:
            await self.history.begin(run)
        except BaseException:
            await self.control.leave_thread(run)
            raise

    async def _known(self, run_id: str) -> RunRecord:
        """Return the run that an Idempotency-Key found, which another request may be about to start."""
        for _ in range(int(KNOWN_SECONDS / THREAD_POLL)):
            if run := await load(self.redis, run_id):
                return run
            await asyncio.sleep(THREAD_POLL)
        raise Conflict("The first request with this key has not started its run.", run_id=run_id)
