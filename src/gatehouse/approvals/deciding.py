"""Decides: one winner, whoever asks at once, and the run goes on in the same transaction."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, and_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gatehouse.approvals.deciders import Deciders
from gatehouse.approvals.models import STATUS_AFTER, Decision
from gatehouse.approvals.rows import any_open, found, lock, of_run
from gatehouse.approvals.tables import approvals, waiting_runs
from gatehouse.approvals.validation import check
from gatehouse.identity.principal import Principal
from gatehouse.ledger.unsettled import settle_ended
from gatehouse.problems.approvals import (
    ApprovalChanged,
    ApprovalDecided,
    ApprovalExpired,
    NotAllowedToDecide,
)
from gatehouse.runs.records import principal_fields
from gatehouse.storage.database_time import time_of

CANCELLED = "The run was cancelled, so there is nothing to decide."
FOUND_OUT = "It is known by now what came of the call, so there is nothing to say."


async def decide(
    connection: AsyncConnection, principal: Principal, approval_id: str, decision: Decision
) -> tuple[Row[Any], bool]:
    """Decide on an approval, in a transaction of its tenant; return it, and whether this was the decision.

    The same decision by the same person again finds the first. Raises NotFound, NotAllowedToDecide,
    ApprovalDecided, ApprovalExpired, ApprovalChanged and InvalidInput: then nothing is changed.
    """
    run_of_it = select(approvals.c.run_id).where(approvals.c.id == approval_id)
    await lock(connection, principal.tenant_id, run_of_it.scalar_subquery())
    row = await found(connection, principal, approval_id)
    if not Deciders.of(row.deciders).include(principal, row.user_id):
        raise NotAllowedToDecide
    if row.status != "pending":
        if is_same(row, principal, decision):
            return row, False
        raise refusal_of(row)
    now = await time_of(connection)
    if row.expires_at <= now:
        raise ApprovalExpired
    if decision.digest != row.digest:
        raise ApprovalChanged
    check(decision, row.kind, row.allowed, row.schema)
    decided = (
        update(approvals)
        .where(approvals.c.id == row.id, approvals.c.status == "pending")
        .values(
            status=STATUS_AFTER[decision.decision],
            decision=decision.said(),
            decided_by={"user_id": principal.user_id, "name": principal.name},
            decided_at=now,
        )
        .returning(*approvals.c)
    )
    changed = (await connection.execute(decided)).one_or_none()
    if changed is None:  # whoever has no lock, since no run waits for it, comes second too
        raise refusal_of(await found(connection, principal, approval_id))
    if row.form == "ended":
        await settle_ended(connection, changed)
    elif not await any_open(connection, row.tenant_id, row.run_id):
        await make_due(connection, row.tenant_id, row.run_id, "decided", principal)
    return changed, True


async def make_due(
    connection: AsyncConnection, tenant_id: str, run_id: str, how: str, decider: Principal | None = None
) -> bool:
    """Have a run go on that waits, as `how` says; False when it does not wait."""
    waits = and_(of_run(waiting_runs, tenant_id, run_id), waiting_runs.c.state == "waiting")
    word = principal_fields(decider) if decider else None
    due = {"state": "due", "how": how, "decider": word, "changed_at": datetime.now(UTC)}
    return bool((await connection.execute(update(waiting_runs).where(waits).values(due))).rowcount)


def is_same(row: Row[Any], principal: Principal, decision: Decision) -> bool:
    """Tell whether this is what the same person has decided."""
    return bool(
        row.decided_by and row.decided_by["user_id"] == principal.user_id and row.decision == decision.said()
    )


def refusal_of(row: Row[Any]) -> ApprovalExpired | ApprovalDecided:
    """Return what a decision that comes too late is told."""
    if row.status == "expired":
        return ApprovalExpired()
    if row.decided_by is None:
        return ApprovalDecided(FOUND_OUT if row.form == "ended" else CANCELLED)
    name, choice = row.decided_by["name"], row.decision["decision"]
    return ApprovalDecided(
        f"{name} has decided already: {choice}.", decision=choice, decided_by=row.decided_by
    )
