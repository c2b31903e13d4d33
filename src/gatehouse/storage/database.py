"""The database: how it is opened, and how times are kept in it."""

import asyncio
import sqlite3
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiosqlite
from sqlalchemy import DateTime, Dialect, MetaData, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.types import TypeDecorator

from gatehouse.plain_json import from_json, json_text
from gatehouse.storage.postgres import (
    PREPARE,
    PREPARED_AFTER,
    BoundedConnection,
    network_options,
    prepare_threshold,
    without_own_options,
)

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
        return _open_sqlite(parsed)
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


class SqliteConnection(sqlite3.Connection):
    """A connection whose transaction ends when it is closed.

    sqlite3 keeps it, and the file locked, until the last cursor is collected: after a statement that was
    cancelled that may be long, and nobody else can write.
    """

    def close(self) -> None:
        with suppress(sqlite3.ProgrammingError):  # it is closed
            self.rollback()
        super().close()


def _open_sqlite(url: URL) -> AsyncEngine:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if url.database in (None, "", ":memory:"):
        engine = create_async_engine(url, **WRITTEN)  # SQLAlchemy keeps it in one connection by itself
    else:
        # One connection, waited for in order. With more, writers poll for the file's lock: under load some
        # poll for longer than the time-out, and the waiting costs more than the work.
        engine = create_async_engine(
            url,
            pool_size=1,
            max_overflow=0,
            pool_timeout=POOL_SECONDS,
            connect_args={"factory": SqliteConnection},
            **WRITTEN,
        )
    event.listen(engine.sync_engine, "connect", _set_pragmas)
    return engine


def _set_pragmas(connection: Any, _record: object) -> None:
    connection.run_async(_set_up_sqlite)


async def _set_up_sqlite(connection: aiosqlite.Connection) -> None:
    await connection.execute_fetchall("PRAGMA busy_timeout = 5000")
    await write_ahead(connection)
    # safe with WAL; a power cut may lose the last commits
    await connection.execute_fetchall("PRAGMA synchronous = NORMAL")
    await connection.execute_fetchall("PRAGMA foreign_keys = ON")


async def write_ahead(connection: aiosqlite.Connection) -> None:
    """Have the connection's file keep a write-ahead log, so that readers and a writer don't wait.

    Another process may be setting it, and SQLite itself does not wait for that: it is asked for again
    within 5 s, after which sqlite3.OperationalError is raised.
    """
    until = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            await connection.execute_fetchall("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(0.05)
        else:
            return
