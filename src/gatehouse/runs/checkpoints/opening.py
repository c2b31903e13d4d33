"""Where an agent's finished steps are kept while its run goes on: beside the database."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from sqlalchemy.engine import URL, make_url

from gatehouse.runs.checkpoints.kept import SqliteCheckpoints
from gatehouse.runs.checkpoints.serializing import serializer
from gatehouse.storage.sqlite import write_ahead
from gatehouse.storage.sqlite_errands import ErrandConnection


@asynccontextmanager
async def open_checkpoints(
    database_url: str, allowed: Iterable[type] = ()
) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    """Yield a checkpointer in the database that this SQLAlchemy URL names.

    It reads objects of LangChain's types, and of those that are `allowed`; see `serializer`. Raises
    CheckpointsBehind, NotPrepared.
    """
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        opening: Any = open_in_sqlite(url, allowed)
    else:
        from gatehouse.runs.checkpoints.postgres import open_in_postgres  # psycopg takes a tenth of a second

        opening = open_in_postgres(url, allowed)
    async with opening as saver:
        yield saver


@asynccontextmanager
async def open_in_sqlite(url: URL, allowed: Iterable[type]) -> AsyncIterator[SqliteCheckpoints]:
    """Yield one in a file beside the database's, since the saver holds its connection for the whole time."""
    file = url.database if url.database in (None, ":memory:") else f"{url.database}.checkpoints"
    async with ErrandConnection(file or ":memory:") as connection:
        saver = SqliteCheckpoints(connection, serde=serializer(allowed))
        await write_ahead(connection)  # else `setup` asks for it, once, and fails beside another worker
        await connection.execute_fetchall("PRAGMA synchronous = NORMAL")  # as the database beside it
        await saver.setup()
        try:
            yield saver
        finally:
            async with saver.lock:  # closed between a write and its commit, the file would stay locked
                pass


async def set_up_checkpoints(database_url: str) -> None:
    """Make the tables in PostgreSQL, or bring them up to date. SQLite's are made when they are opened."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        return
    from gatehouse.runs.checkpoints.postgres import set_up_in_postgres

    await set_up_in_postgres(url)
