"""Asks what came of calls that a run has left unknown. No run waits for that: the ledger takes the answer."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gatehouse.approvals.asking import Draft
from gatehouse.approvals.deciders import Deciders
from gatehouse.approvals.models import Choice
from gatehouse.approvals.opening import Asker, new_row
from gatehouse.approvals.tables import approvals
from gatehouse.ledger.table import effects
from gatehouse.ledger.unsettled import Unsettled, unsettled
from gatehouse.storage.database_time import time_of
from gatehouse.storage.inserting import insert_if_new
from gatehouse.threads.tables import threads

WAYS_OUT: tuple[Choice, ...] = ("happened", "give_up")


async def ask_what_is_left(
    engine: AsyncEngine,
    connection: AsyncConnection,
    tenant_id: str,
    run_id: str,
    deciders: Mapping[str, Deciders],
    lifetime: timedelta,
) -> list[tuple[Unsettled, Row[Any]]]:
    """Ask about each call that a run leaves unknown; return those that were not asked about before.

    `deciders` are those of the runnables, by their paths. To do so again is to do so once.
    """
    left = await unsettled(connection, tenant_id, run_id)
    if not left:
        return []
    now = await time_of(connection)
    known = select(threads.c.id).where(threads.c.id == left[0].thread_id)
    thread_id = await connection.scalar(known)  # it may be deleted already
    opened = []
    for one in left:
        asker = Asker(tenant_id, one.user_id, one.user_name, thread_id, run_id, one.runnable)
        who = deciders.get(f"/{one.runnable}", Deciders())
        row = new_row(asker, draft_of(one), who, None, now, now + lifetime)
        insertion = insert_if_new(engine, approvals).returning(*approvals.c)
        opened += [(one, new) for new in await connection.execute(insertion, row)]
    return opened


async def close_found_out(connection: AsyncConnection, tenant_id: str) -> list[Row[Any]]:
    """End what is asked about calls of which it is known by now what came of them; return it."""
    settled = exists().where(
        effects.c.tenant_id == tenant_id,
        effects.c.run_id == approvals.c.run_id,
        effects.c.call_id == approvals.c.tool_call_id,
        effects.c.digest == approvals.c.digest,
        effects.c.status.in_(("done", "failed")),
    )
    asked = and_(
        approvals.c.tenant_id == tenant_id, approvals.c.form == "ended", approvals.c.status == "pending"
    )
    over = update(approvals).where(asked, settled)
    ended = {"status": "cancelled", "decided_at": datetime.now(UTC)}
    return list(await connection.execute(over.values(ended).returning(*approvals.c)))


def draft_of(left: Unsettled) -> Draft:
    effect = left.effect
    return Draft(
        "ended", "effect", effect.key, effect.digest, WAYS_OUT,
        tool=effect.tool, tool_call_id=effect.call_id, args=left.args,
        description=f"{effect.why} Its run has ended.",
    )  # fmt: skip
