"""The engine: starts runs, stops them, shows them to viewers. It knows nothing of HTTP."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

from langchain_core.utils.uuid import uuid7

from gatehouse.identity.principal import Principal
from gatehouse.limits.admission import Admission, taken
from gatehouse.problems.draining import Drain
from gatehouse.problems.errors import Conflict, NotFound
from gatehouse.runs import replies
from gatehouse.runs.events import BEGINNING, Cursor, Record
from gatehouse.runs.lifecycle.attempts import lease_key
from gatehouse.runs.lifecycle.conducting import Conductor
from gatehouse.runs.lifecycle.control import STARTING_SECONDS, viewers_key
from gatehouse.runs.lifecycle.execution import Execution
from gatehouse.runs.lifecycle.turns import Multitask, Turns
from gatehouse.runs.log.log import log_key
from gatehouse.runs.log.reader import LogReader
from gatehouse.runs.records import RunRecord, is_of, load, run_id_of, run_key
from gatehouse.runs.sources.tap import Tap
from gatehouse.runs.viewing import Viewing

KNOWN_SECONDS = 5.0
KNOWN_POLL = 0.1
ERASE_SECONDS = 1.0
ERASE_POLL = 0.02


@dataclass(frozen=True, slots=True)
class Started:
    """A run that was started, or that an Idempotency-Key found; `tap` is None when it was found."""

    run: RunRecord
    tap: Tap | None


class RunEngine:
    """Runs of one process over one Redis. `open_runs` makes one, and owns its tasks."""

    def __init__(self, conductor: Conductor) -> None:
        self.conductor = conductor
        self.owner = conductor.owner
        self.redis = conductor.redis
        self.runnables = conductor.runnables
        self.history = conductor.history
        self.settings = conductor.settings
        self.observer = conductor.observer
        self.attempts = conductor.attempts
        self.control = conductor.control
        self.drain = Drain()
        self.reader = LogReader(self.redis, self.owner, self.settings.feed_size, conductor.stop)
        self.viewing = Viewing(self.redis, conductor, self.reader)
        self.turns = Turns(self.control, self.settings.deadline, self.cancel)

    @property
    def local(self) -> Mapping[str, Execution]:
        """The runs that this process executes, by their ids."""
        return self.conductor.local

    @property
    def viewers(self) -> int:
        """How many connections follow a run here, be it executed here or elsewhere."""
        here = sum(execution.viewers for execution in self.local.values())
        return here + sum(mirror.viewers for mirror in self.reader.mirrors.values())

    async def start(
        self,
        principal: Principal,
        runnable: str,
        value: dict[str, Any],
        *,
        run_id: str | None = None,
        thread_id: str | None = None,
        new_thread: bool = False,
        forks: str = "",
        attachments: Sequence[Mapping[str, Any]] = (),
        grace: float = 30,
        multitask: Multitask = "reject",
        idempotency: tuple[str, bytes] | None = None,
        tap: Tap | None = None,
        admission: Admission | None = None,
    ) -> Started:
        """Start a run of `runnable` (its path) and return it; its events are read with `view`.

        `new_thread` begins a thread for it; `forks` is the message of its thread in whose place it is asked
        (empty: it is asked after the last); `attachments` are the files that it is about, each with id, name,
        media_type and size. `grace` is how many seconds it goes on after its last viewer
        left. `idempotency` is a key and the request's body: the same pair from the same principal finds the
        first run instead. `admission` is charged for the run (None: it is the server's own, and not limited).
        Raises Conflict when the thread has a run and `multitask` is reject, LimitReached, Restarting.
        """
        run_id = run_id or str(uuid7())
        if idempotency is not None:
            first = await self._claim_key(principal, idempotency, run_id, multitask)
            if first != run_id:
                return await self._found(first, admission)
        try:
            self.drain.check()
            async with taken(admission) as reservation:
                run = self._record(
                    id=run_id,
                    principal=principal,
                    runnable=runnable,
                    input=value,
                    thread_id=str(uuid7()) if new_thread else thread_id,
                    opens_thread=new_thread,
                    forks=forks,
                    attachments=tuple(attachments),
                    grace=grace,
                    reservation=reservation,
                )
                await self._enter_thread(run, multitask)
                await self.conductor.begin(run, tap)
        except BaseException:
            if idempotency is not None:
                await self.control.drop_key(principal, idempotency[0])
            raise
        if idempotency is not None:
            await self.control.keep_key(principal, idempotency[0])
        return Started(run, tap)

    async def _found(self, run_id: str, admission: Admission | None) -> Started:
        if admission is not None:
            await admission.charge()  # a request, but no second run
        return Started(await self._known(run_id), None)

    def _record(self, **fields: Any) -> RunRecord:
        """Return the record of a run that begins now."""
        now = time.time()
        deadline = now + self.settings.deadline
        return RunRecord(created_at=now, deadline=deadline, trace=self.observer.trace(), **fields)

    async def _claim_key(
        self, principal: Principal, idempotency: tuple[str, bytes], run_id: str, multitask: Multitask
    ) -> str:
        """Return the id of the first run with this Idempotency-Key: `run_id`, if there was none."""
        waiting = 0 if multitask == "reject" else self.settings.deadline
        seconds = waiting + STARTING_SECONDS
        return await self.control.claim_key(principal, *idempotency, run_id, seconds)

    async def _enter_thread(self, run: RunRecord, multitask: Multitask) -> None:
        """Store the question in the run's thread, if it has one: in a new one, or when its turn has come."""
        if run.thread_id is None:
            return
        if run.opens_thread:
            await self.history.begin(run)
            return
        await self.turns.take(run, multitask)
        try:
            self.drain.check()  # it may have waited for long
            await self.history.begin(run)
        except BaseException:
            await self.turns.leave(run)
            raise

    async def _known(self, run_id: str) -> RunRecord:
        """Return the run that an Idempotency-Key found, which another request may be about to start."""
        for _ in range(int(KNOWN_SECONDS / KNOWN_POLL)):
            if run := await load(self.redis, run_id):
                return run
            await asyncio.sleep(KNOWN_POLL)
        raise Conflict("The first request with this key has not started its run.", run_id=run_id)

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
        return await self.viewing.caught_up(run)

    async def cancel(self, run_id: str) -> None:
        """Stop the run now, wherever it is executed. One that has ended stays as it is."""
        if not await self.control.mark_cancelled(run_id, "cancelled"):
            return
        if run_id in self.local:
            self.conductor.stop(run_id)
        elif owner := await self.attempts.owner_of(run_id):
            await self.reader.tell(owner, "cancel", run_id)
        else:
            await self.conductor.revive(run_id)

    def view(self, run_id: str, after: Cursor = BEGINNING) -> AsyncIterator[list[Record]]:
        """Yield the run's records after the cursor, in lists of those that are ready, up to `end`.

        No record is left out: what the log no longer has is replaced by a `gap` that holds the text.
        """
        return self.viewing.view(run_id, after)

    def watched(self, run_id: str) -> AbstractContextManager[None]:
        """Count the caller as a viewer of a run of this process."""
        return self.viewing.watched(run_id)

    async def hand_over(self) -> None:
        """Give up what goes on here for other processes to take, and end every viewer's stream."""
        self.drain.refuse()
        await self.conductor.close()
        self.viewing.close()

    async def erase(self, run_ids: list[str]) -> None:
        """Stop these runs and forget them: their input, their log and their text."""
        for run_id in run_ids:
            await self.cancel(run_id)
        for run_id in run_ids:
            if not await self._until_ended(run_id):  # else it has erased these itself
                await self.conductor.checkpoints.adelete_thread(run_id)
            keys = (run_key(run_id), log_key(run_id), lease_key(run_id), viewers_key(run_id))
            await self.redis.delete(*keys)
            await self.attempts.forget(run_id)

    async def runs_of(self, tenant_id: str, user_id: str) -> list[str]:
        """Return the ids of a user's runs that are still known. It looks at all runs that there are."""
        return [
            run_id
            async for key in self.redis.scan_iter(match=run_key("*"), count=1000)
            if await is_of(self.redis, run_id := run_id_of(replies.text(key)), tenant_id, user_id)
        ]

    async def _until_ended(self, run_id: str) -> bool:
        """Wait for a run that was cancelled, so that its viewers see its end and its answer is kept first.

        False when it did not end in time: its process is gone, or at something that cannot be stopped.
        """
        until = time.monotonic() + ERASE_SECONDS
        while (run := await load(self.redis, run_id)) and not run.finished:
            if time.monotonic() > until:
                return False
            await asyncio.sleep(ERASE_POLL)
        return True
