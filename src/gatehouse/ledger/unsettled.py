"""Calls that a run leaves behind when it ends, and of which nobody knows: a person looks, and says so."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, and_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gatehouse.ledger.effect import Effect
from gatehouse.ledger.store import CUT_OFF, effect_of
from gatehouse.ledger.table import effects
from gatehouse.storage.database_time import time_of

GIVEN_UP = "A person has given it up."


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A call whose effect is unknown, and whose it was. `found`: it was taken to be under way until now."""

    effect: Effect
    found: bool
    user_id: str
    user_name: str
    runnable: str
    thread_id: str | None
    args: dict[str, Any] | None


async def unsettled(connection: AsyncConnection, tenant_id: str, run_id: str) -> list[Unsettled]:
    """Return the calls of a run that has come to its end of which nobody knows, in their order.

    What is claimed then is unknown from now on: no attempt follows that would find it. It was not done where
    the effect would have been committed together with the row.
    """
    of_run = and_(effects.c.tenant_id == tenant_id, effects.c.run_id == run_id)
    claimed = update(effects).where(of_run, effects.c.status == "claimed")
    undone = {"status": "failed", "error": CUT_OFF, "settled_at": datetime.now(UTC)}
    await connection.execute(claimed.where(effects.c.in_transaction).values(undone))
    left = await connection.execute(
        claimed.values(status="unknown", error=CUT_OFF).returning(effects.c.call_id, effects.c.digest)
    )
    found = {tuple(row) for row in left}
    query = select(effects).where(of_run, effects.c.status == "unknown").order_by(effects.c.claimed_at)
    return [
        Unsettled(
            effect_of(row), (row.call_id, row.digest) in found, row.user_id, row.user_name, row.runnable,
            row.thread_id, row.args,
        )
        for row in await connection.execute(query)
    ]  # fmt: skip


async def settle_ended(connection: AsyncConnection, approval: Row[Any]) -> None:
    """Keep what a person has said of such a call. What was found out meanwhile stands."""
    happened = approval.decision["decision"] == "happened"
    row = and_(
        effects.c.tenant_id == approval.tenant_id,
        effects.c.run_id == approval.run_id,
        effects.c.call_id == approval.tool_call_id,
        effects.c.digest == approval.digest,
        effects.c.status == "unknown",
    )
    said = {"status": "done", "error": None} if happened else {"status": "failed", "error": GIVEN_UP}
    await connection.execute(update(effects).where(row).values(**said, settled_at=await time_of(connection)))
