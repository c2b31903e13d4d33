"""Where an agent's finished steps are kept while its run goes on: beside the database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.engine import make_url

POOL_SIZE = 5
SETUP_LOCK = 0x6761_7468  # "gath": the PostgreSQL advisory lock of whoever makes the tables
LOCK_POLL = 0.1


@asynccontextmanager
async def open_checkpoints(database_url: str) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    """Yield a checkpointer in the database that this SQLAlchemy URL names; its tables are made if need be.

    SQLite: a file beside the database's, since the saver holds its connection for the whole time.
    """
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        file = url.database if url.database in (None, ":memory:") else f"{url.database}.checkpoints"
        async with AsyncSqliteSaver.from_conn_string(file or ":memory:") as saver:
            await saver.setup()
            yield saver
        return
    options = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
    async with AsyncConnectionPool(conninfo, max_size=POOL_SIZE, open=False, kwargs=options) as pool:
        postgres = AsyncPostgresSaver(pool)  # type: ignore[arg-type]  # the rows are dicts, by the options
        async with sole(pool):
            await postgres.setup()
        yield postgres


@asynccontextmanager
async def sole(pool: AsyncConnectionPool[Any]) -> AsyncIterator[None]:
    """Let one process at a time make the tables: `setup` has no lock, and of two at once one fails.

    The lock is asked for again and again: a query that waits for it would hold up `setup`'s CREATE INDEX
    CONCURRENTLY, which waits for every other query.
    """
    async with pool.connection() as connection:
        while not (await taken(connection))["taken"]:
            await asyncio.sleep(LOCK_POLL)
        try:
            yield
        finally:
            await connection.execute("SELECT pg_advisory_unlock(%s)", [SETUP_LOCK])


async def taken(connection: AsyncConnection[Any]) -> Any:
    """Return the row that says whether this connection has the lock now."""
    cursor = await connection.execute("SELECT pg_try_advisory_lock(%s) AS taken", [SETUP_LOCK])
    return await cursor.fetchone()
