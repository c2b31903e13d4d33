"""What a process does for its runs all the time: renew leases, look after orphans, trim logs."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog
from langchain_core.runnables import Runnable
from langgraph.checkpoint.base import BaseCheckpointSaver
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gatehouse.background import all_of, in_background
from gatehouse.runs.conversation.history import History
from gatehouse.runs.engine import RunEngine
from gatehouse.runs.events import BEGINNING, Cursor
from gatehouse.runs.lifecycle.conducting import Conductor
from gatehouse.runs.lifecycle.containing import containing
from gatehouse.runs.lifecycle.execution import Execution
from gatehouse.runs.log.log import reraise_cancellation
from gatehouse.runs.observing import RunObserver
from gatehouse.runs.records import load
from gatehouse.runs.sources.serving import Serving
from gatehouse.runs.waits import Waits
from gatehouse.settings.engine import EngineSettings
from gatehouse.storage.redis.words import words_of

log = structlog.get_logger(__name__)

BEATS_PER_LEASE = 4
MARKS = 100  # of how far a run was when, within the age of its log


@asynccontextmanager
async def open_runs(
    redis: Redis,
    runnables: Mapping[str, Runnable[Any, Any] | Serving],
    history: History,
    checkpoints: BaseCheckpointSaver[Any],
    settings: EngineSettings,
    observer: RunObserver | None = None,
    waits: Waits | None = None,
) -> AsyncIterator[RunEngine]:
    """Yield an engine whose background tasks run; at the end it hands its runs over."""
    loop = asyncio.get_running_loop()
    engine = RunEngine(Conductor(redis, runnables, history, checkpoints, settings, observer, waits))
    tending = Tending(engine)
    with suppress(RedisError, OSError):  # else the clock is this machine's until the first beat
        await tending.well()
    with containing(loop):
        async with working(engine, tending):
            yield engine


@asynccontextmanager
async def working(engine: RunEngine, tending: "Tending") -> AsyncIterator[None]:
    """Do the work of an engine in the background; at the end it hands its runs over."""
    more = {"run_upkeep": tending.upkeep()} if tending.on_cluster else {}
    async with in_background(
        run_log_writer=engine.conductor.writer.run(),
        run_log_reader=engine.reader.run(),
        run_leases=tending.beat(),
        run_sweep=tending.sweep(),
        run_leftovers=engine.conductor.leftovers.look(),
        run_answers=engine.conductor.keeping.keep_late(),
        **more,
    ):
        try:
            yield
        finally:
            await engine.hand_over()


class Tending:
    """The periodic work of one engine. Redis's clock counts, not this machine's."""

    def __init__(self, engine: RunEngine) -> None:
        self.engine = engine
        self.settings = engine.settings
        self._marks: dict[str, list[tuple[float, int]]] = {}
        self._trimmed: dict[str, int] = {}
        # monotonic; Redis was away, and viewers on other processes could not say that they are there
        self._unsure_until = 0.0
        self._renewing_since = float("-inf")  # monotonic; when the last beat began that was heard
        self.on_cluster = engine.conductor.reservations.on_cluster

    async def beat(self) -> None:
        """Renew the leases and do the rest of the work, until cancelled.

        On a cluster the rest is for `upkeep`: one server that is away is not to hold up the leases on others.
        """
        while True:
            reraise_cancellation()
            await asyncio.sleep(self.settings.lease / BEATS_PER_LEASE)
            asked = time.monotonic()
            try:
                if self.on_cluster:
                    await all_of((self.well(), self._renew(self.engine.conductor.clock.now())))
                    self._renewing_since = asked
                    continue
                now = await self.well()
                if time.monotonic() - asked > self.settings.lease / BEATS_PER_LEASE:
                    self._be_unsure()
                await self._renew(now)
                self._renewing_since = asked
                await self._tend(now)
            except (RedisError, OSError) as error:
                reraise_cancellation()
                self._be_unsure()
                log.warning("leases cannot be renewed", error=type(error).__name__, **words_of(error))
            except Exception:  # the leases of every run here depend on the next beat
                log.exception("runs are not tended")

    async def upkeep(self) -> None:
        """Do what is less urgent than the leases, until cancelled."""
        while True:
            reraise_cancellation()
            await asyncio.sleep(self.settings.lease / BEATS_PER_LEASE)
            try:
                await self._tend(self.engine.conductor.clock.now())
            except (RedisError, OSError) as error:
                reraise_cancellation()
                self._be_unsure()
                log.warning("runs are tended late", error=type(error).__name__, **words_of(error))
            except Exception:  # the next time may do better
                log.exception("runs are not tended")

    async def sweep(self) -> None:
        """Make the next attempt at runs whose process is gone, until cancelled."""
        while True:
            reraise_cancellation()
            await asyncio.sleep(self.settings.lease / 2)
            try:
                now = await self.redis_time()
                await all_of((self._look_after_all(now), self.engine.attempts.settle_left(now)))
            except (RedisError, OSError) as error:
                reraise_cancellation()
                log.warning("runs cannot be looked after", error=type(error).__name__, **words_of(error))
                # when Redis is back every lease has run out: their owners, who are well, are to come first
                await asyncio.sleep(self.settings.lease)
            except Exception:  # other runs wait for the next sweep
                log.exception("runs are not looked after")

    def _be_unsure(self) -> None:
        self._unsure_until = time.monotonic() + 2 * self.settings.lease

    async def well(self) -> float:
        """Say that this process is well; return the time in Unix seconds by Redis's clock."""
        return await self.engine.attempts.well()

    async def redis_time(self) -> float:
        """Return the time in Unix seconds by Redis's clock."""
        seconds, microseconds = await self.engine.redis.time()
        return float(seconds) + float(microseconds) / 1e6

    async def _tend(self, now: float) -> None:
        """Do what is less urgent than the leases, all of it beside each other. Raises what one raised."""
        conductor = self.engine.conductor
        # else others may have ended runs from here
        in_time = time.monotonic() - self._renewing_since < self.settings.lease
        await all_of(
            [
                *((conductor.reservations.renew(),) if in_time else ()),
                conductor.settle_doubts(),
                self._note_viewers(now),
                self._stop_orphans(now),
                self._trim(),
            ]
        )

    async def _renew(self, now: float) -> None:
        engine = self.engine
        began = time.monotonic()
        held = {run_id: item for run_id, item in engine.local.items() if not item.given_up}
        attempts = {run_id: item.run.attempt for run_id, item in held.items()}
        renewed = await engine.attempts.renew(attempts, now + 1.2 * self.settings.lease)
        if renewed.unheard:
            self._be_unsure()
            log.warning("leases on a server of the cluster cannot be renewed", runs=len(renewed.unheard))
        for run_id, execution in held.items():
            if run_id in renewed.unheard:
                continue
            if run_id in renewed.lost:
                engine.conductor.lose(execution)
                continue
            execution.held_until = began + self.settings.lease
            if run_id in renewed.cancelled:
                execution.halt("cancelled")
            if run_id in renewed.wanted:
                await self._save(execution, BEGINNING)

    async def _note_viewers(self, now: float) -> None:
        mirrors = dict(self.engine.reader.mirrors)
        if not mirrors:
            return
        until = now + self.settings.lease
        for run_id in await self.engine.control.note_viewers(list(mirrors), self.engine.owner, until):
            mirrors[run_id].feed.close()

    async def _stop_orphans(self, now: float) -> None:
        """Cancel the runs that nobody has watched for their grace."""
        if time.monotonic() < self._unsure_until:
            return
        for run_id, execution in list(self.engine.local.items()):
            alone = time.monotonic() - execution.alone_since
            if execution.viewers or alone < execution.run.grace:
                continue
            if await self.engine.control.watched_elsewhere(run_id, now):
                execution.alone_since = time.monotonic()
            else:
                execution.halt("cancelled")

    async def _look_after_all(self, now: float) -> None:
        """Look after every run that nobody was heard of."""
        await all_of(self._look_after_list(active, now) for active in self.engine.attempts.lists)

    async def _look_after_list(self, active: str, now: float) -> None:
        """Look after those of one list: past those that nobody here can take."""
        passed = 0
        while run_ids := await self.engine.attempts.neglected(now, passed, active):
            for run_id in run_ids:
                passed += await self._look_after(run_id)

    async def _look_after(self, run_id: str) -> bool:
        """Take the run over or forget it; True when it is still listed as neglected."""
        if run_id in self.engine.local or await self.engine.attempts.owner_of(run_id):
            return True
        await self.engine.conductor.revive(run_id)
        run = await load(self.engine.redis, run_id)
        if run is None or run.state != "running":
            await self.engine.attempts.forget(run_id)
            return False
        return True

    async def _trim(self) -> None:
        """Drop records past the log's length and age, after the text up to them was saved."""
        local = self.engine.local
        self._marks = {run_id: marks for run_id, marks in self._marks.items() if run_id in local}
        self._trimmed = {run_id: cut for run_id, cut in self._trimmed.items() if run_id in local}
        for run_id, execution in list(local.items()):
            cut = self._cut(run_id, execution)
            if cut > self._trimmed.get(run_id, 0):
                await self._save(execution, Cursor(execution.run.attempt, cut))
                self._trimmed[run_id] = cut

    def _cut(self, run_id: str, execution: Execution) -> int:
        """Return the sequence before which records are to go."""
        now, top = time.monotonic(), execution.top.sequence
        marks = self._marks.setdefault(run_id, [])
        # one at each look would be memory that grows as long as the run goes on
        if not marks or now - marks[-1][0] >= self.settings.log_age / MARKS:
            marks.append((now, top))
        old = 0
        while marks and now - marks[0][0] > self.settings.log_age:
            old = marks.pop(0)[1]
        excess = top - self.settings.log_length
        # by count only when a quarter too many have gathered: trimming costs the text's whole length
        return max(
            old, excess if excess - self._trimmed.get(run_id, 0) > self.settings.log_length // 4 else 0
        )

    async def _save(self, execution: Execution, below: Cursor) -> None:
        """Save the text, and drop the records below a cursor, which told it."""
        top, text = execution.top, "".join(execution.text)
        await self.engine.conductor.writer.of(execution.run.id).flushed()
        await self.engine.attempts.trim(execution.run.id, below, text, top)
