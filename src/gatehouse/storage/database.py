"""The database: how it is opened, and how times are kept in it."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, MetaData, String, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.types import TypeDecorator

from gatehouse.plain_json import from_json, json_text
from gatehouse.storage.postgres_options import (
    PREPARE,
    PREPARED_AFTER,
    network_options,
    prepare_threshold,
    without_own_options,
)
from gatehouse.storage.sqlite import open_sqlite

# Constraints have names, so that a later migration can alter them on every database
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

POOL_SECONDS = 10  # that a caller waits for a connection
ANSWER_SECONDS = 5  # within which a database must answer to count as reachable

# an error's text would have a statement's parameters: messages, and so questions and answers, in the log
WRITTEN: dict[str, Any] = {
    "json_serializer": json_text,
    "json_deserializer": from_json,
    "hide_parameters": True,
}

ABOVE_ROW_SECURITY = text("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
NO_ROW_SECURITY = (
    "the role in GATEHOUSE_DATABASE_URL is a superuser or has BYPASSRLS, so that row-level security does not "
    "hold for it: connect as another role"
)


class CutText(TypeDecorator[str]):
    """Text of a provider's or a model's choosing: what is over `length` characters is cut off."""

    impl = String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def process_bind_param(self, value: str | None, _dialect: Dialect) -> str | None:
        return None if value is None else value[: self.length]


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: timezone-aware when written, UTC when read, on SQLite as on PostgreSQL.

    SQLite keeps no offset, so the UTC time is written there. A naive datetime raises ValueError.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.utcoffset() is None:
            raise ValueError(f"{value.isoformat()} has no timezone: which moment it is cannot be told")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def open_engine(url: str, pool_size: int = 10) -> AsyncEngine:
    """Return an engine for an SQLAlchemy URL with an async driver. No connection is made yet.

    A server database keeps `pool_size` connections, and opens as many again under load.
    For a SQLite file the folder is created, readable by its owner only. Raises SQLAlchemyError for a
    URL that cannot be used, ModuleNotFoundError when its driver is not installed.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return open_sqlite(parsed, POOL_SECONDS, **WRITTEN)
    # pre-ping: a connection that the server or a proxy closed is replaced before it is used
    return create_async_engine(
        without_own_options(parsed),
        pool_pre_ping=True,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=POOL_SECONDS,
        pool_recycle=1800,
        connect_args=connect_args(parsed),
        **WRITTEN,
    )


def connect_args(url: URL) -> dict[str, Any]:
    """Return what psycopg is given beside the URL, so that no caller waits for a server without end."""
    if url.drivername != "postgresql+psycopg":
        return {}
    from gatehouse.storage.postgres import BoundedConnection  # psycopg takes a tenth of a second

    prepared = prepare_threshold(url, PREPARED_AFTER)
    return {"async_creator_fn": BoundedConnection.connect, PREPARE: prepared, **network_options(url)}


async def unreachable(engine: AsyncEngine) -> str | None:
    """Return why the database does not answer within 5 s, None when it does, whatever its schema."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS), engine.connect():
            return None
    except (SQLAlchemyError, OSError) as error:
        return away(error)


async def above_row_security(engine: AsyncEngine) -> bool:
    """Tell whether PostgreSQL's row-level security does not hold for the role that we connect as."""
    if engine.dialect.name != "postgresql":
        return False
    async with engine.connect() as connection:
        return bool(await connection.scalar(ABOVE_ROW_SECURITY))


def away(error: Exception) -> str:
    """Return what is said of a database that does not answer."""
    # the error's own text may hold the URL and its password
    return f"GATEHOUSE_DATABASE_URL cannot be reached ({type(error).__name__})"
