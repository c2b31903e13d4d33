"""Where an agent's finished steps are kept while its run goes on: beside the database."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg.errors import UndefinedTable
from psycopg.rows import dict_row
from psycopg.types.json import set_json_dumps
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.engine import URL, make_url

from gatehouse.plain_json import json_bytes, named
from gatehouse.runs.checkpoints.isolation import is_isolated, isolate
from gatehouse.runs.checkpoints.kept import PostgresCheckpoints, SqliteCheckpoints
from gatehouse.runs.checkpoints.serializing import serializer
from gatehouse.storage.postgres import (
    PREPARE,
    BoundedConnection,
    network_options,
    prepare_threshold,
    without_own_options,
)
from gatehouse.storage.sqlite import write_ahead

POOL_SIZE = 5
POOL_SECONDS = 10.0  # that a caller waits for a connection
SETUP_LOCK = 0x6761_7468  # "gath": the PostgreSQL advisory lock of whoever makes the tables
LOCK_POLL = 0.1


class CheckpointsBehind(Exception):
    """PostgreSQL has no tables for checkpoints, or those of an older release."""

    def __init__(self) -> None:
        super().__init__("its tables for an agent's checkpoints are not up to date: run gatehouse db upgrade")


@asynccontextmanager
async def open_checkpoints(
    database_url: str, allowed: Iterable[type] = ()
) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    """Yield a checkpointer in the database that this SQLAlchemy URL names. Raises CheckpointsBehind.

    It reads objects of LangChain's types, and of those that are `allowed`; see `serializer`.

    SQLite: a file beside the database's, since the saver holds its connection for the whole time. A
    connection that PostgreSQL closed is replaced before it is used.
    """
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        file = url.database if url.database in (None, ":memory:") else f"{url.database}.checkpoints"
        async with SqliteCheckpoints.from_conn_string(file or ":memory:") as saver:
            saver.serde = serializer(allowed)
            await write_ahead(saver.conn)  # else `setup` asks for it, once, and fails beside another worker
            await saver.setup()
            try:
                yield saver
            finally:
                async with saver.lock:  # closed between a write and its commit, the file would stay locked
                    pass
        return
    pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
        conninfo_of(url),
        connection_class=BoundedConnection,
        kwargs=options(url),
        min_size=1,
        max_size=POOL_SIZE,
        timeout=POOL_SECONDS,
        check=AsyncConnectionPool.check_connection,
        configure=write_whole_json,
        open=False,
    )
    async with pool:
        async with pool.connection() as connection:
            await check_tables(connection)
        yield PostgresCheckpoints(pool, serde=serializer(allowed))


async def set_up_checkpoints(database_url: str) -> None:
    """Make the tables in PostgreSQL, or bring them up to date. SQLite's are made when they are opened."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        return
    opened = await AsyncConnection.connect(conninfo_of(url), **options(url))
    async with opened as connection, sole(connection):
        await AsyncPostgresSaver(connection).setup()
        await isolate(connection)


async def check_tables(connection: AsyncConnection[Any]) -> None:
    """Raise CheckpointsBehind unless `setup` has nothing to do. Tables of a newer release are fine."""
    try:
        cursor = await connection.execute("SELECT max(v) AS newest FROM checkpoint_migrations")
    except UndefinedTable:
        raise CheckpointsBehind from None
    row = await cursor.fetchone()
    if row is None or row["newest"] is None or row["newest"] < len(AsyncPostgresSaver.MIGRATIONS) - 1:
        raise CheckpointsBehind
    if not await is_isolated(connection):
        raise CheckpointsBehind


def conninfo_of(url: URL) -> str:
    """Return libpq's connection string: its URLs are escaped in another way than SQLAlchemy's."""
    words: dict[str, Any] = {
        "host": url.host,
        "port": url.port,
        "user": url.username,
        "password": url.password,
        "dbname": url.database,
    }
    for name, value in without_own_options(url).query.items():
        words[name] = value if isinstance(value, str) else ",".join(value)
    return make_conninfo(**words)


def options(url: URL) -> dict[str, Any]:
    """Return the options of a connection that AsyncPostgresSaver needs, and those of the network."""
    prepared = prepare_threshold(url, 0)
    return {"autocommit": True, PREPARE: prepared, "row_factory": dict_row, **network_options(url)}


async def write_whole_json(connection: AsyncConnection[Any]) -> None:
    """Have a connection write JSON that PostgreSQL takes: JSON has no NaN, and jsonb no NUL."""
    set_json_dumps(jsonb, connection)


def jsonb(value: Any) -> bytes:
    return json_bytes(value, named).replace(rb"\u0000", rb"\ufffd")


@asynccontextmanager
async def sole(connection: AsyncConnection[Any]) -> AsyncIterator[None]:
    """Let one process at a time make the tables: `setup` has no lock, and of two at once one fails.

    The lock is asked for again and again: a query that waits for it would hold up `setup`'s CREATE INDEX
    CONCURRENTLY, which waits for every other query.
    """
    while not await try_lock(connection):
        await asyncio.sleep(LOCK_POLL)
    try:
        yield
    finally:
        await connection.execute("SELECT pg_advisory_unlock(%s)", [SETUP_LOCK])


async def try_lock(connection: AsyncConnection[Any]) -> bool:
    """Take the lock if it is free; tell whether this connection has it now."""
    cursor = await connection.execute("SELECT pg_try_advisory_lock(%s) AS taken", [SETUP_LOCK])
    row: Any = await cursor.fetchone()
    return bool(row["taken"])
