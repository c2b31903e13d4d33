"""Erases attachments that have expired: those that nobody asked about."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import structlog
from sqlalchemy import delete
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.attachments.tables import attachments
from gatehouse.background import in_background
from gatehouse.storage.tenancy import see_as_operator

log = structlog.get_logger(__name__)

EVERY = 600.0  # seconds, about: replicas that start together do not purge together


@asynccontextmanager
async def purging_attachments(engine: AsyncEngine) -> AsyncIterator[None]:
    """Erase what has expired now and then while the context is open."""
    async with in_background(attachments_purge=purge_again_and_again(engine)):
        yield


async def purge_again_and_again(engine: AsyncEngine) -> None:
    """Purge until cancelled."""
    while True:
        await asyncio.sleep(random.uniform(EVERY / 2, EVERY))  # noqa: S311  # no secret
        try:
            if erased := await purge(engine):
                log.info("attachments purged", rows=erased)
        except (SQLAlchemyError, OSError) as error:
            log.warning("attachments cannot be purged", error=type(error).__name__)
        except Exception:  # the next one may succeed
            log.exception("attachments are not purged")


async def purge(engine: AsyncEngine) -> int:
    """Erase the expired attachments of all tenants; return how many there were."""
    async with engine.begin() as connection:
        await see_as_operator(connection)
        erased = await connection.execute(
            delete(attachments).where(attachments.c.expires_at < datetime.now(UTC))
        )
    return erased.rowcount
