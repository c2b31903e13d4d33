"""The engine: starts runs, stops them, shows them to viewers. It knows nothing of HTTP."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from langchain_core.utils.uuid import uuid7

from gatehouse.identity.principal import READ_RUNS, WRITE_THREADS, Principal
from gatehouse.limits.admission import Admission
from gatehouse.problems.errors import InsufficientScope, NotFound, Unavailable
from gatehouse.runs import replies
from gatehouse.runs.answers import ANSWERS
from gatehouse.runs.events import BEGINNING, Cursor, Record
from gatehouse.runs.lifecycle.attempts import lease_key
from gatehouse.runs.lifecycle.conducting import Conductor
from gatehouse.runs.lifecycle.continuing import Continuing
from gatehouse.runs.lifecycle.control import viewers_key
from gatehouse.runs.lifecycle.execution import Execution
from gatehouse.runs.lifecycle.starting import Idempotency, Started, Starting
from gatehouse.runs.lifecycle.turns import Multitask, Turns
from gatehouse.runs.log.log import log_key
from gatehouse.runs.log.reader import LogReader
from gatehouse.runs.records import RunRecord, is_of, load, run_id_of, run_key
from gatehouse.runs.sources.tap import Tap
from gatehouse.runs.viewing import Viewing
from gatehouse.runs.waits import WaitsAway
from gatehouse.storage.redis.cluster.client import beside

ERASE_SECONDS = 1.0
ERASE_POLL = 0.02


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
        self.drain = conductor.drain
        self.reader = LogReader(self.redis, self.owner, self.settings.feed_size, conductor.stop)
        self.continuing = Continuing(conductor)
        self.viewing = Viewing(self.redis, conductor, self.reader)
        turns = Turns(self.control, conductor.clock, self.settings.deadline, self.cancel)
        self.starting = Starting(conductor, turns, self.settings.deadline)

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
        value: Any,
        *,
        run_id: str | None = None,
        thread_id: str | None = None,
        new_thread: bool = False,
        in_one_piece: bool = False,
        forks: str = "",
        attachments: Sequence[Mapping[str, Any]] = (),
        grace: float = 30,
        multitask: Multitask = "reject",
        idempotency: tuple[str, bytes] | None = None,
        tap: Tap | None = None,
        admission: Admission | None = None,
        client: Mapping[str, Any] | None = None,
    ) -> Started:
        """Start a run of `runnable` (its path) and return it; its events are read with `view`.

        `new_thread` begins a thread for it, with this `thread_id` or one of its own; `in_one_piece` says that
        nobody is told of run or thread before the run has ended. `forks` is the message of its thread in
        whose place it is asked (empty: it is asked after the last); `attachments` are the files that it is
        about, each with id, name, media_type and size. `grace` is how many seconds it goes on after its last
        viewer left. `idempotency` is a key and the request's body: the same pair from the same principal
        finds the first run instead. `client` is what its entry lets a client say of the config. `admission`
        is charged for the run (None: it is the server's own, and not limited). Raises Conflict when the
        thread has a run and `multitask` is reject, LimitReached, Restarting, NotStored, InsufficientScope.
        """
        if thread_id is not None and not new_thread and not principal.may(WRITE_THREADS):
            raise InsufficientScope(WRITE_THREADS)
        run = self._record(
            id=run_id or str(uuid7()),
            principal=principal,
            runnable=runnable,
            input=value,
            thread_id=thread_id or str(uuid7()) if new_thread else thread_id,
            opens_thread=new_thread,
            asks_late=(
                in_one_piece and new_thread and thread_id is None and idempotency is None and not attachments
            ),
            forks=forks,
            attachments=tuple(attachments),
            grace=grace,
            client=client or {},
        )
        if idempotency is None:
            return await self.starting.start(run, multitask, tap, admission)
        return await self.starting.once(run, multitask, tap, admission, Idempotency(*idempotency))

    def _record(self, **fields: Any) -> RunRecord:
        """Return the record of a run that begins now."""
        now = self.conductor.clock.now()
        deadline = now + self.settings.deadline
        return RunRecord(created_at=now, deadline=deadline, trace=self.observer.trace(), **fields)

    async def get(self, principal: Principal, run_id: str, scope: str = READ_RUNS) -> RunRecord:
        """Return the caller's run, with its text so far. Raises NotFound, also for another's.

        A run that was started with another credential of the caller needs the `scope`: InsufficientScope.
        """
        run = await load(self.redis, run_id) or await self._kept(principal, run_id)
        if run is None or not run.owned_by(principal):
            raise NotFound("There is no such run.")
        if run.principal.credential_key != principal.credential_key and not principal.may(scope):
            raise InsufficientScope(scope)
        if run.state != "running":
            return run
        if execution := self.local.get(run_id):
            return replace(
                run, text="".join(execution.text), text_cursor=execution.top, usage=execution.meter.usage
            )
        return await self.viewing.caught_up(run)

    async def cancel(self, run_id: str) -> None:
        """Stop the run now, wherever it is executed. One that has ended stays as it is."""
        if not await self.control.mark_cancelled(run_id, "cancelled"):
            await self._cancel_waiting(run_id)
            return
        if run_id in self.local:
            self.conductor.stop(run_id)
        elif owner := await self.attempts.owner_of(run_id):
            await self.reader.tell(owner, "cancel", run_id)
        else:
            await self.conductor.revive(run_id)

    async def _kept(self, principal: Principal, run_id: str) -> RunRecord | None:
        """Return a run that waits, and that Redis has lost."""
        try:
            return await self.conductor.waits.kept(principal.tenant_id, run_id)
        except WaitsAway:
            return None

    async def cancel_waiting_in(self, principal: Principal, thread_id: str) -> None:
        """End what waits for people in a thread, also where Redis has lost it: it is to be asked anew.

        Raises Unavailable.
        """
        try:
            waiting = await self.conductor.waits.waiting_in(principal, thread_id)
        except WaitsAway:
            raise Unavailable from None
        for run_id in waiting:
            await self._cancel_waiting(run_id)
            await self._until_ended(run_id)

    async def _cancel_waiting(self, run_id: str) -> None:
        """End a run that waits for people. Raises Unavailable."""
        run = await load(self.redis, run_id)
        try:
            run = run or await self.conductor.waits.kept("", run_id)  # one that Redis has lost
            if run is None or run.state != "waiting":
                return
            if not await self.conductor.waits.cancel(run):
                await self.continuing.end(run)
        except WaitsAway:
            raise Unavailable from None

    def view(self, run_id: str, after: Cursor = BEGINNING) -> AsyncIterator[list[Record]]:
        """Yield the run's records after the cursor, in lists of those that are ready, up to `end`.

        No record is left out: what the log no longer has is replaced by a `gap` that holds the text.
        """
        return self.viewing.view(run_id, after)

    async def so_far(self, run_id: str) -> list[Record]:
        """Return the run's records that there are now; what the log no longer has is a `gap`."""
        return await self.viewing.so_far(run_id)

    def watched(self, run_id: str) -> AbstractContextManager[None]:
        """Count the caller as a viewer of a run of this process."""
        return self.viewing.watched(run_id)

    async def hand_over(self) -> None:
        """Give up what goes on here for other processes to take, and end every viewer's stream."""
        self.drain.refuse()
        await self.conductor.close()
        self.viewing.close()

    async def erase(self, run_ids: list[str], tenant_id: str = "", states: Sequence[str] = ()) -> None:
        """Stop these runs and forget them: their input, their log and their text; and what graphs have kept.

        `states` are the names (`state_key`) under which their thread may have states, of this tenant.
        """
        for run_id in run_ids:
            await self.cancel(run_id)
        for run_id in run_ids:
            await self._until_ended(run_id)
            if run := await load(self.redis, run_id):
                await self.conductor.leftovers.note(run_id, run.principal.tenant_id)
            keys: tuple[str, ...] = (run_key(run_id), log_key(run_id), lease_key(run_id), viewers_key(run_id))
            if key := await self.redis.hget(run_key(run_id), "key"):
                keys = (*keys, replies.text(key))
            await self.redis.delete(*keys)
            await self.redis.hdel(beside(self.redis, ANSWERS, run_id), run_id)
            await self.attempts.forget(run_id)
        await self.forget_states(tenant_id, states)

    async def forget_states(self, tenant_id: str, states: Sequence[str]) -> None:
        """Delete what graphs have kept under these names. What cannot be deleted now is later."""
        for state in states:
            await self.conductor.leftovers.note(state, tenant_id)
        for state in states:
            await self.conductor.leftovers.delete(state, tenant_id)

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
