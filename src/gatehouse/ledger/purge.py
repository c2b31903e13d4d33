"""Erases old rows of the ledger: they stay for as long as the audit log's, which tell of the same calls."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import delete
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.background import in_background
from gatehouse.ledger.table import effects
from gatehouse.storage.tenancy import see_as_operator

log = structlog.get_logger(__name__)

EVERY = 6 * 3600.0  # seconds, about: replicas that start together do not purge together


@asynccontextmanager
async def purging_effects(engine: AsyncEngine, days: int) -> AsyncIterator[None]:
    """Erase rows older than `days` now and then while the context is open."""
    async with in_background(effects_purge=purge_again_and_again(engine, days)):
        yield


async def purge_again_and_again(engine: AsyncEngine, days: int) -> None:
    """Purge until cancelled."""
    while True:
        await asyncio.sleep(random.uniform(EVERY / 2, EVERY))  # noqa: S311  # no secret
        try:
            if erased := await purge(engine, days):
                log.info("effects purged", rows=erased)
        except (SQLAlchemyError, OSError) as error:
            log.warning("effects cannot be purged", error=type(error).__name__)
        except Exception:  # the next one may succeed
            log.exception("effects are not purged")


async def purge(engine: AsyncEngine, days: int) -> int:
    """Erase the rows of all tenants that are older than so many days; return how many there were."""
    before = datetime.now(UTC) - timedelta(days=days)
    async with engine.begin() as connection:
        await see_as_operator(connection)
        erased = await connection.execute(delete(effects).where(effects.c.claimed_at < before))
    return erased.rowcount
