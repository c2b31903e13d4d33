"""Erases old rows of the ledger: they stay for as long as the audit log's, which tell of the same calls."""

from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.background import about
from gatehouse.ledger.table import effects
from gatehouse.purging import purging_now_and_then
from gatehouse.storage.tenancy import see_as_operator

EVERY = 6 * 3600.0  # seconds, about


def purging_effects(engine: AsyncEngine, days: int) -> AbstractAsyncContextManager[None]:
    """Erase rows older than `days` now and then while the context is open."""
    return purging_now_and_then("effects", partial(purge, engine, days), about(EVERY))


async def purge(engine: AsyncEngine, days: int) -> int:
    """Erase the rows of all tenants that are older than so many days; return how many there were."""
    before = datetime.now(UTC) - timedelta(days=days)
    async with engine.begin() as connection:
        await see_as_operator(connection)
        erased = await connection.execute(delete(effects).where(effects.c.claimed_at < before))
    return erased.rowcount
