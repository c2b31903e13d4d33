"""Counts the approvals that are open, and erases those that nobody needs any longer: of all tenants."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import get_args

from sqlalchemy import and_, delete, func, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.approvals.models import Kind
from gatehouse.approvals.tables import approvals
from gatehouse.background import about, again_and_again, in_background
from gatehouse.purging import purging_now_and_then
from gatehouse.storage.database_time import time_of
from gatehouse.storage.tenancy import see_as_operator

COUNT_EVERY = 15.0  # seconds, about
PURGE_EVERY = 6 * 3600.0

# Told how many approvals are open, by their kind
Shown = Callable[[Mapping[str, int]], None]


@asynccontextmanager
async def tending_approvals(engine: AsyncEngine, days: int, shown: Shown) -> AsyncIterator[None]:
    """Have it `shown` how many are open, and erase those older than `days`, while the context is open."""

    async def count() -> None:
        shown(await open_by_kind(engine))

    counting = again_and_again(
        count, about(COUNT_EVERY), "approvals cannot be counted", (SQLAlchemyError, OSError)
    )
    erasing = purging_now_and_then("approvals", partial(purge, engine, days), about(PURGE_EVERY))
    async with in_background(approvals_count=counting), erasing:
        yield


async def open_by_kind(engine: AsyncEngine) -> dict[str, int]:
    """Return how many approvals of all tenants are open, by their kind."""
    query = select(approvals.c.kind, func.count().label("number")).where(approvals.c.status == "pending")
    async with engine.begin() as connection:
        await see_as_operator(connection)
        rows = await connection.execute(query.group_by(approvals.c.kind))
        return dict.fromkeys(get_args(Kind), 0) | {row.kind: row.number for row in rows}


async def purge(engine: AsyncEngine, days: int) -> int:
    """Erase the approvals older than so many days that are over; return how many there were.

    Those of a thread go with it.
    """
    async with engine.begin() as connection:
        await see_as_operator(connection)
        now = await time_of(connection)
        over = and_(
            approvals.c.thread_id.is_(None),
            approvals.c.created_at < now - timedelta(days=days),
            or_(approvals.c.status != "pending", approvals.c.expires_at < now),
        )
        return (await connection.execute(delete(approvals).where(over))).rowcount
