"""The checkpoints of agents in PostgreSQL: how they are opened, and that each tenant sees its own."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from langgraph.checkpoint.postgres._ainternal import get_connection
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg import AsyncConnection, AsyncCursor
from psycopg.conninfo import make_conninfo
from psycopg.errors import DuplicatePreparedStatement, InvalidSqlStatementName, UndefinedTable
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import set_json_dumps
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from sqlalchemy.engine import URL

from gatehouse.plain_json import json_bytes, named
from gatehouse.runs.checkpoints.isolation import SWEEP, is_isolated, isolate
from gatehouse.runs.checkpoints.kept import FromFirstToolCall
from gatehouse.runs.checkpoints.problems import CheckpointsBehind, NotPrepared
from gatehouse.runs.checkpoints.serializing import serializer
from gatehouse.storage.postgres import BoundedConnection
from gatehouse.storage.postgres_options import (
    PREPARE,
    network_options,
    prepare_threshold,
    without_own_options,
)
from gatehouse.storage.tenancy import tenant_of_context

POOL_SIZE = 5
POOL_SECONDS = 10.0  # that a caller waits for a connection
SETUP_LOCK = 0x6761_7468  # "gath": the PostgreSQL advisory lock of whoever makes the tables
LOCK_POLL = 0.1


class PostgresCheckpoints(FromFirstToolCall, AsyncPostgresSaver):
    """In PostgreSQL, of which each transaction sees the rows of the tenant in its context."""

    async def left_over(self, before: str, most: int) -> list[tuple[str, str]]:
        """Return the runs with a smaller id whose checkpoints are still there, and their tenants."""
        query = "SELECT DISTINCT thread_id, tenant_id FROM checkpoints WHERE thread_id < %s LIMIT %s"
        async with self._cursor() as cursor:
            await cursor.execute("SELECT set_config(%s, %s, true)", [SWEEP, before])
            await cursor.execute(query, [before, most])
            return [(row["thread_id"], row["tenant_id"]) for row in await cursor.fetchall()]

    @asynccontextmanager
    async def _cursor(self, *, pipeline: bool = False) -> AsyncIterator[AsyncCursor[DictRow]]:
        """Yield a cursor in a transaction of its tenant: PgBouncer may move the next one elsewhere."""
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            await enter(self.lock)
            connection: AsyncConnection[Any] = await enter(get_connection(self.conn))
            if pipeline and self.supports_pipeline:
                await enter(connection.pipeline())
            await enter(connection.transaction())
            cursor = await enter(connection.cursor(binary=True, row_factory=dict_row))
            tenant = tenant_of_context.get()
            await cursor.execute("SELECT set_config('gatehouse.tenant', %s, true)", [tenant])
            yield cursor


@asynccontextmanager
async def open_in_postgres(url: URL, allowed: Iterable[type]) -> AsyncIterator["PostgresCheckpoints"]:
    """Yield the checkpointer. A connection that was closed is replaced before it is used.

    Raises CheckpointsBehind, and NotPrepared where no connection works.
    """
    pool = pool_of(url)
    async with pool:
        try:
            async with pool.connection() as connection:
                await check_tables(connection)
        except (PoolTimeout, DuplicatePreparedStatement, InvalidSqlStatementName) as error:
            raise NotPrepared from error
        yield PostgresCheckpoints(pool, serde=serializer(allowed))


def pool_of(url: URL) -> AsyncConnectionPool[Any]:
    """Return the connections, of which none is open yet."""
    return AsyncConnectionPool(
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


async def set_up_in_postgres(url: URL) -> None:
    """Make the tables, or bring them up to date."""
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
