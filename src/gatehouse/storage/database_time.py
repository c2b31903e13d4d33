"""The time by the database's clock, which all replicas share: a machine's own may be wrong."""

from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection


async def time_of(connection: AsyncConnection) -> datetime:
    """Return what time it is now, not when the transaction began. SQLite has the clock of this machine."""
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)
    now: datetime = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
    return now
