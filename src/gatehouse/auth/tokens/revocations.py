"""Which JWTs were revoked, as the database keeps it: by a digest of their tenant and `jti`."""

from datetime import datetime, timedelta

from sqlalchemy import Column, String, Table, delete, select
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.storage.database import UtcDateTime, metadata
from gatehouse.storage.inserting import insert_if_new

revoked_tokens = Table(
    "revoked_tokens",
    metadata,
    Column("token", String(64), primary_key=True),
    Column("revoked_at", UtcDateTime, nullable=False, index=True),
)

LATE = timedelta(seconds=15)  # after its time of revocation a row may be committed


class Revocations:
    """The table of revoked tokens."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def add(self, token: str, now: datetime, kept_since: datetime) -> None:
        """Keep a token, and none that was revoked before `kept_since`: it has expired by itself."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(revoked_tokens).where(revoked_tokens.c.revoked_at < kept_since))
            row = {"token": token, "revoked_at": now}
            await connection.execute(insert_if_new(self._engine, revoked_tokens).values(row))

    async def since(self, moment: datetime) -> dict[str, datetime]:
        """Return the tokens that were revoked since, and when; some that were shortly before, too."""
        query = select(revoked_tokens).where(revoked_tokens.c.revoked_at >= moment - LATE)
        async with self._engine.connect() as connection:
            return {row.token: row.revoked_at for row in await connection.execute(query)}
