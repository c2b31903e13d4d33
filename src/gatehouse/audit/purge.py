"""Deletes what the audit log need not keep any longer: the one change that its triggers permit."""

from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.audit.table import audit_log
from gatehouse.background import soon_and_every
from gatehouse.purging import purging_now_and_then
from gatehouse.storage.tenancy import see_as_operator

FIRST_AFTER = 300.0  # seconds, at most
EVERY = 6 * 3600.0
AT_ONCE = 1000  # rows: a short transaction each


def purging(engine: AsyncEngine, days: int) -> AbstractAsyncContextManager[None]:
    """Delete rows older than `days` now and then while the context is open."""
    return purging_now_and_then("audit log", partial(purge, engine, days), soon_and_every(FIRST_AFTER, EVERY))


async def purge(engine: AsyncEngine, days: int) -> int:
    """Delete the rows of all tenants that are older than so many days; return how many there were.

    The database itself lets nobody delete a row of the last 30 days.
    """
    before = datetime.now(UTC) - timedelta(days=days)
    oldest = select(audit_log.c.id).where(audit_log.c.time < before).limit(AT_ONCE)
    deleted = 0
    while True:
        async with engine.begin() as connection:
            await see_as_operator(connection)
            result = await connection.execute(delete(audit_log).where(audit_log.c.id.in_(oldest)))
        deleted += result.rowcount
        if result.rowcount < AT_ONCE:
            return deleted
