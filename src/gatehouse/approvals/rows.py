"""The statements over approvals and the runs that wait, within a transaction of their tenant."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, ScalarSelect, Table, and_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gatehouse.approvals.deciders import DECIDE, Deciders
from gatehouse.approvals.models import Approval, Person
from gatehouse.approvals.tables import approvals, waiting_runs
from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import NotFound
from gatehouse.threads.tables import threads

NO_SUCH_APPROVAL = "There is no such approval."


def visible(principal: Principal) -> ColumnElement[bool]:
    """Return the condition that a principal may see an approval: their own, or those of all who ask them."""
    mine = approvals.c.user_id == principal.user_id
    of_tenant = approvals.c.tenant_id == principal.tenant_id
    return of_tenant if principal.may(DECIDE) else and_(of_tenant, mine)


def of_run(table: Table, tenant_id: str, run_id: str | ScalarSelect[str]) -> ColumnElement[bool]:
    """Return the condition that a row is of this run."""
    return and_(table.c.tenant_id == tenant_id, table.c.run_id == run_id)


async def lock(connection: AsyncConnection, tenant_id: str, run_id: str | ScalarSelect[str]) -> bool:
    """Have whoever else changes what belongs to this run wait for this transaction; False when none waits.

    It comes first in a transaction: SQLite lets nobody write who has read before another wrote. On PostgreSQL
    the run's thread comes before it: who erases that deletes it first, and then what belongs to it.
    """
    if connection.dialect.name == "postgresql":
        thread = select(waiting_runs.c.thread_id).where(of_run(waiting_runs, tenant_id, run_id))
        this_thread = select(threads.c.id).where(threads.c.id == thread.scalar_subquery())
        await connection.execute(this_thread.with_for_update(read=True, key_share=True))
    this = update(waiting_runs).where(of_run(waiting_runs, tenant_id, run_id))
    changed = this.values(version=waiting_runs.c.version + 1)
    return bool((await connection.execute(changed)).rowcount)


async def found(connection: AsyncConnection, principal: Principal, approval_id: str) -> Row[Any]:
    """Return an approval that the principal may see. Raises NotFound."""
    this = and_(approvals.c.id == approval_id, visible(principal))
    row = (await connection.execute(select(approvals).where(this))).one_or_none()
    if row is None:
        raise NotFound(NO_SUCH_APPROVAL)
    return row


async def close_open(connection: AsyncConnection, tenant_id: str, run_id: str, status: str) -> list[Row[Any]]:
    """End what a run waits for, and return it."""
    ended = (
        update(approvals)
        .where(
            of_run(approvals, tenant_id, run_id),
            approvals.c.status == "pending",
            approvals.c.form != "ended",  # of what a run has left behind somebody has to say all the same
        )
        .values(status=status, decided_at=datetime.now(UTC))
        .returning(*approvals.c)
    )
    return list(await connection.execute(ended))


async def any_open(connection: AsyncConnection, tenant_id: str, run_id: str) -> bool:
    """Tell whether a run still waits for a decision."""
    query = (
        select(approvals.c.id)
        .where(of_run(approvals, tenant_id, run_id), approvals.c.status == "pending")
        .limit(1)
    )
    return (await connection.execute(query)).first() is not None


def shown(row: Row[Any], principal: Principal | None = None) -> Approval:
    """Return an approval as this principal sees it; None: as nobody does who may decide."""
    columns = {name: value for name, value in row._asdict().items() if name in Approval.model_fields}
    return Approval(
        **columns,
        schema=row.schema,
        owner=Person(user_id=row.user_id, name=row.user_name),
        may_decide=principal is not None and may_decide(row, principal),
    )


def may_decide(row: Row[Any], principal: Principal) -> bool:
    """Tell whether this principal may decide on an approval now."""
    open_now = row.status == "pending" and row.expires_at > datetime.now(UTC)
    return bool(open_now) and Deciders.of(row.deciders).include(principal, row.user_id)
