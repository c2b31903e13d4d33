"""Stores a thread together with its first messages, in as few steps as its database takes it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from langchain_core.utils.uuid import uuid7
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.identity.principal import Principal
from gatehouse.storage.inserting import insert_if_new
from gatehouse.storage.sqlite_together import InsertTogether
from gatehouse.storage.tenancy import tenant_transaction
from gatehouse.threads.branches import BEGINNING
from gatehouse.threads.rows import INSERT_MESSAGE, NO_ANSWER, owned_by
from gatehouse.threads.tables import messages, threads

Row = Mapping[str, Any]

# Stores a thread with its messages, unless there is one with this id: then it returns False
Begin = Callable[[Row, Sequence[Row]], Awaitable[bool]]


def beginning(engine: AsyncEngine) -> Begin:
    """Return what begins threads in a database."""
    insert_thread = insert_if_new(engine, threads).execution_options(preserve_rowcount=True)
    if engine.dialect.name == "sqlite":
        mine = [column.name for column in messages.columns if column.server_default is None]
        return InsertTogether(engine, insert_thread, threads.columns.keys(), INSERT_MESSAGE, mine)

    async def begin(thread: Row, rows: Sequence[Row]) -> bool:
        async with tenant_transaction(engine, thread["tenant_id"]) as connection:
            if not (await connection.execute(insert_thread, dict(thread))).rowcount:
                return False
            await connection.execute(INSERT_MESSAGE, [dict(row) for row in rows])
            return True

    return begin


def first_rows(
    principal: Principal, thread_id: str, question: Row, answer: Row | None
) -> list[dict[str, Any]]:
    """Return the first message of a thread, with its answer if there is one."""
    place = {"thread_id": thread_id, "created_at": datetime.now(UTC), **owned_by(principal)}
    asked = str(uuid7())
    rows = [{**place, **NO_ANSWER, **question, "id": asked, "position": 1, "parent_id": BEGINNING}]
    if answer is not None:
        rows.append(
            {**place, "attachments": None, **answer, "id": str(uuid7()), "position": 2, "parent_id": asked}
        )
    return rows
