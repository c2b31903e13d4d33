"""Stores a run's answer in its thread, in as few steps as its database takes it."""

import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.identity.principal import Principal
from gatehouse.storage.sqlite_together import Bound, in_one_errand
from gatehouse.storage.tenancy import tenant_transaction
from gatehouse.threads import queries
from gatehouse.threads.rows import (
    INSERT_MESSAGE,
    Place,
    append,
    message_row,
    place_values,
    placed,
    touch,
    touch_values,
)
from gatehouse.threads.tables import messages

# Stores the columns of an answer of this principal's in this thread. Nothing happens when the thread was
# deleted or a later attempt has answered
StoreAnswer = Callable[[Principal, str, Mapping[str, Any]], Awaitable[None]]


def answering(engine: AsyncEngine) -> StoreAnswer:
    """Return what stores answers in a database."""

    async def store(principal: Principal, thread_id: str, answer: Mapping[str, Any]) -> None:
        async with tenant_transaction(engine, principal.tenant_id) as connection:
            if not await touch(connection, principal, thread_id):
                return
            place = await placed(connection, principal, thread_id, answer["run_id"], "ai")
            if not place.attempt:
                row = {**answer, **place.beneath()}
                await append(connection, principal, thread_id, place.count + 1, row)
            elif place.attempt <= answer["attempt"]:
                again = queries.answer_of(principal, thread_id, answer["run_id"])
                await connection.execute(again.values(answer))

    return AnswerTogether(engine, store) if engine.dialect.name == "sqlite" else store


class AnswerTogether:
    """Stores a first answer in one errand of SQLite's thread; any other as `again` does."""

    def __init__(self, engine: AsyncEngine, again: StoreAnswer) -> None:
        self._engine = engine
        self._again = again
        self._touch = Bound(engine, queries.TOUCH)
        self._place = Bound(engine, queries.PLACE)
        self._insert = Bound(engine, INSERT_MESSAGE, messages.columns.keys())

    async def __call__(self, principal: Principal, thread_id: str, answer: Mapping[str, Any]) -> None:
        touched = self._touch.values(touch_values(principal, thread_id))
        asked = self._place.values(place_values(principal, thread_id, answer["run_id"], "ai"))

        def work(connection: sqlite3.Connection) -> bool:
            if not connection.execute(self._touch.text, touched).rowcount:
                return True
            place = Place.of(connection.execute(self._place.text, asked).fetchone())
            if place.attempt:
                return False
            new = {"attachments": None, "shown": True, **answer, **place.beneath()}
            row = message_row(principal, thread_id, place.count + 1, new)
            connection.execute(self._insert.text, self._insert.values(row))
            return True

        if not await in_one_errand(self._engine, work):
            await self._again(principal, thread_id, answer)
