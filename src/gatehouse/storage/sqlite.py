"""SQLite, which the database is by default: how it is opened."""

import asyncio
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiosqlite
from sqlalchemy import event
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gatehouse.storage.sqlite_driver import Driver

BUSY_SECONDS = 5  # that one process waits for another's lock on the file


class SqliteConnection(sqlite3.Connection):
    """A connection whose transaction ends when it is closed.

    sqlite3 keeps it, and the file locked, until the last cursor is collected: after a statement that was
    cancelled that may be long, and nobody else can write.
    """

    def close(self) -> None:
        with suppress(sqlite3.ProgrammingError):  # it is closed
            self.rollback()
        super().close()


def open_sqlite(url: URL, seconds: float, **options: Any) -> AsyncEngine:
    """Return an engine for a file, whose folder is created for its owner only, or for a database in memory.

    A caller waits so many seconds for the connection.
    """
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if url.database in (None, "", ":memory:"):
        engine = create_async_engine(url, module=Driver(), **options)  # of one connection by itself
    else:
        # One connection, waited for in order. With more, writers poll for the file's lock: under load some
        # poll for longer than the time-out, and the waiting costs more than the work.
        engine = create_async_engine(
            url,
            module=Driver(),
            pool_size=1,
            max_overflow=0,
            pool_timeout=seconds,
            connect_args={"factory": SqliteConnection},
            **options,
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
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            await connection.execute_fetchall("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(0.05)
        else:
            return
