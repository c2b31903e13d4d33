"""Deletes what the audit log need not keep any longer: the one change that its triggers permit."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import delete, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.audit.table import audit_log
from gatehouse.background import in_background
from gatehouse.storage.tenancy import see_as_operator

log = structlog.get_logger(__name__)

FIRST_AFTER = 300.0  # seconds, at most: replicas that start together do not purge together
EVERY = 6 * 3600.0
AT_ONCE = 1000  # rows: a short transaction each


@asynccontextmanager
async def purging(engine: AsyncEngine, days: int) -> AsyncIterator[None]:
    """Delete rows older than `days` now and then while the context is open."""
    async with in_background(audit_log_purge=purge_again_and_again(engine, days)):
        yield


async def purge_again_and_again(engine: AsyncEngine, days: int) -> None:
    """Purge until cancelled."""
    await asyncio.sleep(random.uniform(0, FIRST_AFTER))  # noqa: S311  # no secret
    while True:
        try:
            if deleted := await purge(engine, days):
                log.info("audit log purged", rows=deleted)
        except (SQLAlchemyError, OSError) as error:
            log.warning("audit log cannot be purged", error=type(error).__name__)
        except Exception:  # the next one may succeed
            log.exception("audit log is not purged")
        await asyncio.sleep(EVERY)


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
