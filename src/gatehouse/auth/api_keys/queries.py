"""How a key is found in its table."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.auth.api_keys.format import ID
from gatehouse.auth.api_keys.record import KeyRow
from gatehouse.auth.api_keys.tables import api_keys
from gatehouse.storage.tenancy import let_see


async def found(engine: AsyncEngine, key_id: str) -> KeyRow | None:
    """Return the row of a key. It is found by its id alone: its tenant is not known before."""
    if not ID.fullmatch(key_id):  # PostgreSQL could not even be asked about a NUL
        return None
    async with engine.begin() as connection:
        await let_see(connection, "gatehouse.api_key", key_id)
        return (await connection.execute(with_id(key_id))).one_or_none()


def with_id(key_id: str) -> Select[*tuple[Any, ...]]:
    return select(api_keys).where(api_keys.c.id == key_id)


def working(now: datetime) -> ColumnElement[bool]:
    """Return the condition that a key is neither revoked nor expired."""
    expires_at = api_keys.c.expires_at
    return and_(api_keys.c.revoked_at.is_(None), or_(expires_at.is_(None), expires_at > now))
