"""Asks what came of calls that a run has left unknown. No run waits for that: the ledger takes the answer."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gatehouse.approvals.asking import Draft
from gatehouse.approvals.deciders import Deciders
from gatehouse.approvals.models import Choice
from gatehouse.approvals.opening import new_row
from gatehouse.approvals.tables import approvals
from gatehouse.ledger.effect import Effect
from gatehouse.ledger.unsettled import Unsettled, unsettled
from gatehouse.runs.records import RunRecord
from gatehouse.storage.database_time import time_of
from gatehouse.storage.inserting import insert_if_new
from gatehouse.threads.tables import threads

WAYS_OUT: tuple[Choice, ...] = ("happened", "give_up")


async def ask_what_is_left(
    engine: AsyncEngine,
    connection: AsyncConnection,
    run: RunRecord,
    args: Mapping[str, Mapping[str, Any]],
    deciders: Deciders,
    lifetime: timedelta,
) -> list[tuple[Unsettled, Row[Any]]]:
    """Ask about each call that the run leaves unknown; return those that were not asked about before.

    `args` are those of the run's calls, by the models' ids. To do so again is to do so once.
    """
    left = await unsettled(connection, run.principal.tenant_id, run.id)
    if not left:
        return []
    now = await time_of(connection)
    known = select(threads.c.id).where(threads.c.id == run.thread_id)
    thread_id = await connection.scalar(known) if run.thread_id else None  # it may be deleted already
    opened = []
    for one in left:
        draft = draft_of(one.effect, args.get(one.effect.call_id))
        row = {**new_row(run, draft, deciders, None, now, now + lifetime), "thread_id": thread_id}
        insertion = insert_if_new(engine, approvals).returning(*approvals.c)
        opened += [(one, new) for new in await connection.execute(insertion, row)]
    return opened


def draft_of(effect: Effect, args: Mapping[str, Any] | None) -> Draft:
    return Draft(
        "ended", "effect", effect.key, effect.digest, WAYS_OUT,
        tool=effect.tool, tool_call_id=effect.call_id, args=None if args is None else dict(args),
        description=f"{effect.error}. Its run has ended.",
    )  # fmt: skip
