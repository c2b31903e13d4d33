"""Erases attachments that have expired: those that nobody asked about."""

from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.attachments.tables import attachments
from gatehouse.background import about
from gatehouse.purging import purging_now_and_then
from gatehouse.storage.tenancy import see_as_operator

EVERY = 600.0  # seconds, about


def purging_attachments(engine: AsyncEngine) -> AbstractAsyncContextManager[None]:
    """Erase what has expired now and then while the context is open."""
    return purging_now_and_then("attachments", partial(purge, engine), about(EVERY))


async def purge(engine: AsyncEngine) -> int:
    """Erase the expired attachments of all tenants; return how many there were."""
    async with engine.begin() as connection:
        await see_as_operator(connection)
        erased = await connection.execute(
            delete(attachments).where(attachments.c.expires_at < datetime.now(UTC))
        )
    return erased.rowcount
