"""Erases old rows of the books of usage (GATEHOUSE_USAGE_DAYS): there is one for each run and model."""

from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import delete, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.background import about
from gatehouse.purging import purging_now_and_then
from gatehouse.storage.tenancy import see_as_operator
from gatehouse.usage.tables import usage

EVERY = 6 * 3600.0  # seconds, about
AT_ONCE = 5000  # rows: a short transaction each


def purging_usage(engine: AsyncEngine, days: int | None) -> AbstractAsyncContextManager[None]:
    """Erase rows older than `days` now and then while the context is open; None erases none."""
    if days is None:
        return nullcontext()
    return purging_now_and_then("usage", partial(purge, engine, days), about(EVERY))


async def purge(engine: AsyncEngine, days: int) -> int:
    """Erase the rows of all tenants of days before the last `days`; return how many there were."""
    key = tuple_(usage.c.run_id, usage.c.model)
    first = (datetime.now(UTC) - timedelta(days=days)).date()
    oldest = select(usage.c.run_id, usage.c.model).where(usage.c.day < first).limit(AT_ONCE)
    erased = 0
    while True:
        async with engine.begin() as connection:
            await see_as_operator(connection)
            result = await connection.execute(delete(usage).where(key.in_(oldest)))
        erased += result.rowcount
        if result.rowcount < AT_ONCE:
            return erased
