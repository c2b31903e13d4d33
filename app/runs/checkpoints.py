"""Where an agent's finished steps are kept while its run goes on: beside the database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.engine import make_url

POOL_SIZE = 5


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
        await postgres.setup()
        yield postgres
