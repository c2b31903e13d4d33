"""The approvals of a server: opened by its runs, listed, decided, and told to the runs that wait for them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

from langchain_core.tools import BaseTool
from sqlalchemy import Row, Select, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gatehouse.approvals.answers import answers_of
from gatehouse.approvals.asking import drafts_of
from gatehouse.approvals.deciders import Deciders
from gatehouse.approvals.deciding import decide, make_due
from gatehouse.approvals.left_over import ask_what_is_left, close_found_out
from gatehouse.approvals.models import Approval, Decision
from gatehouse.approvals.opening import open_all, rows_of
from gatehouse.approvals.rows import close_open, found, lock, may_decide, of_run, shown, visible
from gatehouse.approvals.tables import approvals, waiting_runs
from gatehouse.identity.principal import Principal
from gatehouse.ledger.unsettled import Unsettled
from gatehouse.runs.records import RunRecord
from gatehouse.runs.sources.steps import Asked, ToolCalled
from gatehouse.storage.tenancy import tenant_transaction

MOST_COUNTED = 1000

# Keeps on record, in the transaction that does it: an approval that is opened, decided, expired or cancelled
Recorded = Callable[[AsyncConnection, str, Row[Any], Principal | None], Awaitable[None]]
# Told of the runnable of an approval, and of what became of it: `opened`, or its status
Counted = Callable[[str, str], None]
# Told of a run, by its tenant and its id, that may go on
Kick = Callable[[str, str], Awaitable[None]]


async def unrecorded(_connection: AsyncConnection, _what: str, _row: Row[Any], _by: Principal | None) -> None:
    """Do nothing: where nothing is kept on record."""


def uncounted(_runnable: str, _outcome: str) -> None:
    """Do nothing: where nothing is counted."""


async def at_the_next_sweep(_tenant_id: str, _run_id: str) -> None:
    """Do nothing: whoever sweeps finds the run."""


class Approvals:
    """The approvals of every user. A connection is held for one call and no longer.

    `deciders` and `tools` are those of the runnables, by their paths. What came of calls of runs that have
    ended people may say for as long as `kept`. `kick` is set by whoever goes on with runs in this process.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        lifetime: timedelta,
        deciders: Mapping[str, Deciders] | None = None,
        tools: Mapping[str, Mapping[str, BaseTool]] | None = None,
        recorded: Recorded = unrecorded,
        counted: Counted = uncounted,
        kept: timedelta = timedelta(days=365),
    ) -> None:
        self.engine = engine
        self.lifetime = lifetime
        self.deciders = deciders or {}
        self.tools = tools or {}
        self.recorded = recorded
        self.counted = counted
        self.kept = kept
        self.kick: Kick = at_the_next_sweep

    async def open(
        self, run: RunRecord, asked: Sequence[Asked], calls: Sequence[ToolCalled] = ()
    ) -> Sequence[tuple[str, Approval]]:
        """Keep what a run asks, and that it waits; return it with the ids of its interrupts.

        Twice is once. Raises IntegrityError when its thread is gone.
        """
        drafts = drafts_of(asked, calls, self.tools.get(run.runnable))
        deciders = self.deciders.get(run.runnable, Deciders())
        async with self._transaction(run.principal.tenant_id) as connection:
            rows, new = await open_all(self.engine, connection, run, drafts, deciders, self.lifetime)
            for row in new:
                await self.recorded(connection, "opened", row, None)
        for row in new:
            self.counted(row.runnable, "opened")
        return [(row.interrupt_id, shown(row)) for row in rows]

    async def decide(self, principal: Principal, approval_id: str, decision: Decision) -> Approval:
        """Decide on an approval; with the last one of its run, the run goes on.

        The same decision by the same person again finds the first. Raises NotFound, NotAllowedToDecide,
        ApprovalDecided, ApprovalExpired, ApprovalChanged and InvalidInput: then nothing is changed.
        """
        async with self._transaction(principal.tenant_id) as connection:
            row, first = await decide(connection, principal, approval_id, decision)
            if first:
                await self.recorded(connection, "decided", row, principal)
        if first:
            self.counted(row.runnable, row.status)
            await self.kick(row.tenant_id, row.run_id)
        return shown(row, principal)

    async def get(self, principal: Principal, approval_id: str) -> Approval:
        """Return an approval that the principal may see. Raises NotFound."""
        async with self._transaction(principal.tenant_id) as connection:
            return shown(await found(connection, principal, approval_id), principal)

    async def page(
        self,
        principal: Principal,
        *,
        status: str | None = None,
        thread_id: str | None = None,
        run_id: str | None = None,
        limit: int = 50,
        before: str | None = None,
    ) -> tuple[Sequence[Approval], str | None]:
        """Return what the principal may see, the newest first, and the id that the next page is before."""
        query = select(approvals).where(visible(principal))
        for column, value in (
            (approvals.c.status, status), (approvals.c.thread_id, thread_id), (approvals.c.run_id, run_id),
        ):  # fmt: skip
            if value is not None:
                query = query.where(column == value)
        if before is not None:
            query = query.where(approvals.c.id < before)
        async with self._transaction(principal.tenant_id) as connection:
            rows = (await connection.execute(query.order_by(approvals.c.id.desc()).limit(limit + 1))).all()
        items = [shown(row, principal) for row in rows[:limit]]
        return items, items[-1].id if len(rows) > limit else None

    async def count(self, principal: Principal) -> int:
        """Return how many are the principal's to decide; no more than a thousand are counted."""
        needed = (approvals.c.status, approvals.c.expires_at, approvals.c.deciders, approvals.c.user_id)
        query: Select[Any] = select(*needed).where(visible(principal), approvals.c.status == "pending")
        async with self._transaction(principal.tenant_id) as connection:
            rows = (await connection.execute(query.limit(MOST_COUNTED))).all()
        return sum(may_decide(row, principal) for row in rows)

    async def asked_by(self, tenant_id: str, run_id: str) -> Sequence[Approval]:
        """Return what a run has asked, the oldest first."""
        async with self._transaction(tenant_id) as connection:
            return [shown(row) for row in await rows_of(connection, tenant_id, run_id)]

    async def decided(self, tenant_id: str, run_id: str) -> tuple[dict[str, Any], Sequence[Approval]]:
        """Return what was decided for a run as LangGraph takes it, by its interrupts' ids; and each decision.

        They are in the order in which the run asked.
        """
        async with self._transaction(tenant_id) as connection:
            rows = await rows_of(connection, tenant_id, run_id)
        return answers_of(rows), [shown(row) for row in rows if row.decision]

    async def is_due(self, tenant_id: str, run_id: str) -> bool:
        """Tell whether a run may go on."""
        this = of_run(waiting_runs, tenant_id, run_id)
        query = select(waiting_runs.c.run_id).where(this, waiting_runs.c.state == "due")
        async with self._transaction(tenant_id) as connection:
            return (await connection.execute(query)).first() is not None

    async def waits(self, tenant_id: str, run_id: str) -> bool:
        """Tell whether a run is kept that waits, or that has gone on and may not have ended yet."""
        query = select(waiting_runs.c.run_id).where(of_run(waiting_runs, tenant_id, run_id))
        async with self._transaction(tenant_id) as connection:
            return (await connection.execute(query)).first() is not None

    async def end(self, tenant_id: str, run_id: str, how: str) -> bool:
        """End what is open of a run that waits, `cancelled` or `expired`; False when it does not wait."""
        async with self._transaction(tenant_id) as connection:
            await lock(connection, tenant_id, run_id)
            if not await make_due(connection, tenant_id, run_id, how):
                return False
            closed = await close_open(connection, tenant_id, run_id, how)
            for row in closed:
                await self.recorded(connection, how, row, None)
        for row in closed:
            self.counted(row.runnable, how)
        await self.kick(tenant_id, run_id)
        return True

    async def forget(self, tenant_id: str, run_id: str) -> None:
        """Note that a run has ended: nobody has to go on with it."""
        async with self._transaction(tenant_id) as connection:
            await connection.execute(delete(waiting_runs).where(of_run(waiting_runs, tenant_id, run_id)))
            closed = await close_open(connection, tenant_id, run_id, "cancelled")
            for row in closed:
                await self.recorded(connection, "cancelled", row, None)
        for row in closed:
            self.counted(row.runnable, "cancelled")

    async def ask_what_is_left(self, tenant_id: str, run_id: str) -> Sequence[tuple[Unsettled, Approval]]:
        """Ask what came of each call that a run leaves unknown as it ends; twice is once.

        Return what was not asked before.
        """
        async with self._transaction(tenant_id) as connection:
            opened = await ask_what_is_left(
                self.engine, connection, tenant_id, run_id, self.deciders, self.kept
            )
            for _, row in opened:
                await self.recorded(connection, "opened", row, None)
        for _, row in opened:
            self.counted(row.runnable, "opened")
        return [(left, shown(row)) for left, row in opened]

    async def close_found_out(self, tenant_id: str) -> None:
        """End what is asked about calls of ended runs whose process has said since what came of them."""
        async with self._transaction(tenant_id) as connection:
            closed = await close_found_out(connection, tenant_id)
            for row in closed:
                await self.recorded(connection, "cancelled", row, None)
        for row in closed:
            self.counted(row.runnable, "cancelled")

    def _transaction(self, tenant_id: str) -> AbstractAsyncContextManager[AsyncConnection]:
        return tenant_transaction(self.engine, tenant_id)
