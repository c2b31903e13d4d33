"""Starts runs. A start that cannot be finished, or whose caller leaves, is undone: all of it, and surely."""

import asyncio
import time
from dataclasses import dataclass, replace

from gatehouse.background import uninterrupted
from gatehouse.identity.principal import READ_RUNS
from gatehouse.limits.admission import Admission
from gatehouse.limits.reservations import Reservation
from gatehouse.problems.errors import ApiError, Conflict, InsufficientScope
from gatehouse.runs.lifecycle.conducting import Conductor
from gatehouse.runs.lifecycle.control import STARTING_SECONDS, claim_of, idempotency_key
from gatehouse.runs.lifecycle.turns import Multitask, Turns
from gatehouse.runs.lifecycle.undoing import Start
from gatehouse.runs.records import RunRecord, load
from gatehouse.runs.sources.tap import Tap

KNOWN_SECONDS = 5.0
KNOWN_POLL = 0.1


@dataclass(frozen=True, slots=True)
class Started:
    """A run that was started, or that an Idempotency-Key found; `tap` is None when it was found."""

    run: RunRecord
    tap: Tap | None


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A caller's Idempotency-Key, and the body that came with it."""

    key: str
    body: bytes


class Starting:
    """Starts runs of one process: in their threads, charged, and only once for each Idempotency-Key."""

    def __init__(self, conductor: Conductor, turns: Turns, seconds: float) -> None:
        """`seconds` is how long a run may wait for its thread."""
        self._conductor = conductor
        self._control = conductor.control
        self._turns = turns
        self._seconds = seconds

    async def once(
        self,
        run: RunRecord,
        multitask: Multitask,
        tap: Tap | None,
        admission: Admission | None,
        idempotency: Idempotency,
    ) -> Started:
        """Start the run, unless one was started with this key: then return that one.

        Raises as `start`, and InsufficientScope for the run of another credential that may not be read.
        """
        key = idempotency_key(run.principal, idempotency.key)
        run = replace(run, idempotency=key)
        try:
            first = await self._first(run, multitask, idempotency, admission)
        except BaseException as error:
            if not isinstance(error, ApiError):  # nobody can tell whether the key is this run's now
                await self._undo(Start(run))
            raise
        if first is not None:
            asks, began = run.principal, first.principal
            if asks.credential_key != began.credential_key and not asks.may(READ_RUNS):
                raise InsufficientScope(READ_RUNS)
            return Started(first, None)
        return await self.start(run, multitask, tap, admission, claim_of(run.id, idempotency.body))

    async def start(
        self,
        run: RunRecord,
        multitask: Multitask,
        tap: Tap | None,
        admission: Admission | None,
        claim: str = "",
    ) -> Started:
        """Start the run. Raises Conflict, LimitReached, Restarting, NotStored, and what its thread raises."""
        taken: Reservation | None = None
        begun = Start(run)
        # charged in the step that stores the run, where nothing else comes before that
        alone = run.thread_id is None or run.asks_late
        alone = alone and self._conductor.attempts.charges_with_run
        with_run = admission if admission and admission.is_new and alone else None
        before = None if with_run else admission
        try:
            self._conductor.drain.check()
            if with_run is not None:
                run = replace(run, reservation=with_run.seat())
            elif before is not None:
                taken = await before.take()
                run = replace(run, reservation=taken)
            begun.run = run
            await self._enter_thread(begun, multitask)
            left = await self._conductor.begin(run, tap, claim, with_run)
        except BaseException as error:
            begun.failed(error)
            if before is not None and taken is not None:
                (before.lose if begun.maybe_stored else before.give_back)(taken)
            await self._undo(begun)
            raise
        if left:
            raise asyncio.CancelledError
        return Started(run, tap)

    async def _undo(self, begun: Start) -> None:
        if begun.left_anything:
            await uninterrupted(self._conductor.undoing.undo(begun))

    async def _enter_thread(self, begun: Start, multitask: Multitask) -> None:
        """Store the question in the run's thread, if it has one: in a new one, or when its turn has come.

        One that is asked late is stored by the execution.
        """
        run, history = begun.run, self._conductor.history
        if run.thread_id is None or run.asks_late:
            return
        if not run.opens_thread:
            await self._turns.take(run, multitask)
            begun.has_turn = True
            self._conductor.drain.check()  # it may have waited for long
        begun.may_have_asked = True
        await uninterrupted(history.begin(run))

    async def _first(
        self, run: RunRecord, multitask: Multitask, idempotency: Idempotency, admission: Admission | None
    ) -> RunRecord | None:
        """Return the run that was started with this key; None when this is the first.

        Another request may be about to start it, or fail to: then this one is the first after all.
        """
        seconds = (0 if multitask == "reject" else self._seconds) + STARTING_SECONDS
        until = time.monotonic() + KNOWN_SECONDS
        while True:
            key, body = idempotency.key, idempotency.body
            first = await self._control.claim_key(run.principal, key, body, run.id, seconds)
            if first == run.id:
                return None
            if admission is not None:
                await admission.charge()  # a request, but no second run
            if known := await load(self._conductor.redis, first):
                return known
            if time.monotonic() > until:
                raise Conflict("The first request with this key has not started its run.", run_id=first)
            await asyncio.sleep(KNOWN_POLL)
