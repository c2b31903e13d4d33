"""Opens approvals: in one transaction with the record of the run that waits for them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from langchain_core.utils.uuid import uuid7
from sqlalchemy import Row, and_, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gatehouse.approvals.asking import Draft
from gatehouse.approvals.deciders import Deciders
from gatehouse.approvals.rows import any_open, lock, of_run
from gatehouse.approvals.tables import approvals, waiting_runs
from gatehouse.runs.records import RunRecord, kept_fields
from gatehouse.storage.database_time import time_of
from gatehouse.storage.inserting import insert_if_new

LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class Asker:
    """The run that asks, by the name of its runnable, and whose it is."""

    tenant_id: str
    user_id: str
    user_name: str
    thread_id: str | None
    run_id: str
    runnable: str

    @classmethod
    def of(cls, run: RunRecord) -> Self:
        principal, runnable = run.principal, run.runnable.removeprefix("/")
        name = principal.name[:LONGEST_NAME]
        return cls(principal.tenant_id, principal.user_id, name, run.thread_id, run.id, runnable)


async def open_all(
    engine: AsyncEngine,
    connection: AsyncConnection,
    run: RunRecord,
    drafts: Sequence[Draft],
    deciders: Deciders,
    lifetime: timedelta,
) -> tuple[list[Row[Any]], list[Row[Any]]]:
    """Keep what a run asks, and that it waits; return all that it asks, and what of that is new.

    To do so again is to do so once: a later attempt may ask the same. What an earlier attempt asked, and this
    one does not, is cancelled.
    """
    now = await time_of(connection)
    tenant_id = run.principal.tenant_id
    waits = {
        "attempt": run.attempt, "state": "waiting", "how": "", "version": 0, "record": kept_fields(run),
        "decider": None, "changed_at": now, "expires_at": now + lifetime,
    }  # fmt: skip
    if not await lock(connection, tenant_id, run.id):
        whose = {"tenant_id": tenant_id, "user_id": run.principal.user_id, "thread_id": run.thread_id}
        await connection.execute(insert(waiting_runs), {**waits, **whose, "run_id": run.id})
    known = await rows_of(connection, tenant_id, run.id)
    await cancel_others(connection, run, drafts)
    places = {(row.interrupt_id, row.position) for row in known}
    new = [draft for draft in drafts if (draft.interrupt_id, draft.position) not in places]
    earlier = {row.digest: row.id for row in reversed(known) if row.kind == "tool"}
    for draft in new:
        row = new_row(Asker.of(run), draft, deciders, earlier.get(draft.digest), now, now + lifetime)
        await connection.execute(insert_if_new(engine, approvals), row)
        if draft.kind == "tool":
            earlier.setdefault(draft.digest, row["id"])
    if not await any_open(connection, tenant_id, run.id):  # decided before, of an attempt that was lost
        waits |= {"state": "due", "how": "decided"}
    this = of_run(waiting_runs, tenant_id, run.id)
    await connection.execute(update(waiting_runs).where(this).values({**waits, "version": 1}))
    by_place = {(row.interrupt_id, row.position): row for row in await rows_of(connection, tenant_id, run.id)}
    asked = [by_place[draft.interrupt_id, draft.position] for draft in drafts]
    return asked, [row for row in asked if (row.interrupt_id, row.position) not in places]


def new_row(
    asker: Asker, draft: Draft, deciders: Deciders, same_as: str | None, now: datetime, until: datetime
) -> dict[str, Any]:
    """Return the row of a new approval."""
    return {
        "id": str(uuid7()),
        **asdict(asker),
        **draft.row(),
        "deciders": deciders.json(),
        "same_as": same_as,
        "status": "pending",
        "created_at": now,
        "expires_at": until,
    }


async def rows_of(connection: AsyncConnection, tenant_id: str, run_id: str) -> list[Row[Any]]:
    """Return what a run has asked, the oldest first."""
    query = select(approvals).where(of_run(approvals, tenant_id, run_id)).order_by(approvals.c.id)
    return list(await connection.execute(query))


async def cancel_others(connection: AsyncConnection, run: RunRecord, drafts: Sequence[Draft]) -> None:
    """Cancel what is open of a run and is not asked any more."""
    ids = {draft.interrupt_id for draft in drafts}
    others = and_(
        of_run(approvals, run.principal.tenant_id, run.id),
        approvals.c.status == "pending",
        approvals.c.interrupt_id.not_in(ids),
    )
    values: Mapping[str, Any] = {"status": "cancelled", "decided_at": datetime.now(UTC)}
    await connection.execute(update(approvals).where(others).values(values))
