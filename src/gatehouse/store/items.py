"""A store of LangGraph's in which every item is the caller's: no namespace names another's.

Factories get it in `Parts`, for `builder.compile(store=parts.store)` or `create_agent(…, store=parts.store)`.
Whose items are meant is in the config of the run that asks, never in a namespace, in which a model may have a
say. LangGraph's own InMemoryStore decides what a filter lets through.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from langchain_core.runnables.config import ensure_config
from langgraph.store.base import (
    BaseStore,
    GetOp,
    Item,
    ListNamespacesOp,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
)
from langgraph.store.memory import InMemoryStore
from sqlalchemy import ColumnElement, Row, and_, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gatehouse.identity.caller import Caller, caller_of
from gatehouse.plain_json import from_json, json_text, whole_text
from gatehouse.storage.inserting import insert_or_change
from gatehouse.storage.tenancy import tenant_transaction
from gatehouse.store.table import store_items

MOST_ITEMS = 1_000  # of one user
MOST_VALUE_BYTES = 16_384  # of a value as JSON
MOST_NAMESPACE_BYTES, MOST_KEY_BYTES = 1_000, 500  # PostgreSQL's index takes rows of 2,700


class NoRoom(ValueError):
    """An item that is too large, or one too many; the message says which."""


class CallersStore(BaseStore):
    """The items of whoever calls. They do not expire; a `query` in words ranks nothing: no vectors are kept.

    Is made on the event loop that answers. Raises ToolException where nobody calls, and NoRoom.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._loop = asyncio.get_running_loop()
        self._put = insert_or_change(engine, store_items, ("value", "updated_at"))

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Answer in another thread than the event loop's, in which LangChain runs what is not async."""
        if running_loop() is self._loop:
            raise RuntimeError("store.get would stop the event loop: await store.aget, and so for the others")
        answers = self._answered(caller_of(ensure_config()), list(ops))
        return asyncio.run_coroutine_threadsafe(answers, self._loop).result()

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        return await self._answered(caller_of(ensure_config()), list(ops))

    async def _answered(self, caller: Caller, ops: Sequence[Op]) -> list[Result]:
        """Read, then write, in one transaction: reads see what was there before, as in LangGraph's own."""
        writes = {(op.namespace, op.key): op for op in ops if isinstance(op, PutOp)}
        async with tenant_transaction(self._engine, caller.tenant_id) as connection:
            results = [await read(connection, caller, op) for op in ops]
            for write in writes.values():
                await self._written(connection, caller, write)
        return results

    async def _written(self, connection: AsyncConnection, caller: Caller, op: PutOp) -> None:
        if op.value is None:
            await connection.execute(delete(store_items).where(this(caller, op)))
            return
        now = datetime.now(UTC)
        row = {
            "tenant_id": caller.tenant_id,
            "user_id": caller.user_id,
            "namespace": within_bytes(json_text(op.namespace), MOST_NAMESPACE_BYTES, "namespace"),
            "key": within_bytes(op.key, MOST_KEY_BYTES, "key"),
            "value": from_json(within_bytes(json_text(op.value), MOST_VALUE_BYTES, "value")),
            "created_at": now,
            "updated_at": now,
        }
        others = select(func.count()).where(mine(caller), ~this(caller, op))
        if (await connection.scalar(others) or 0) >= MOST_ITEMS:
            raise NoRoom(f"a user has {MOST_ITEMS} items at most: delete some")
        await connection.execute(self._put, row)


async def read(connection: AsyncConnection, caller: Caller, op: Op) -> Result:
    """Return what one of LangGraph's operations asks for; None for one that writes."""
    if isinstance(op, GetOp):
        row = (await connection.execute(select(store_items).where(this(caller, op)))).one_or_none()
        return None if row is None else Item(**fields_of(row))
    if isinstance(op, SearchOp):
        under = select(store_items).where(mine(caller), begins_with(op.namespace_prefix))
        newest = under.order_by(store_items.c.updated_at.desc(), store_items.c.namespace, store_items.c.key)
        return found(op, [fields_of(row) for row in await connection.execute(newest)])
    if isinstance(op, ListNamespacesOp):
        query = select(store_items.c.namespace).where(mine(caller)).distinct()
        namespaces = InMemoryStore()
        for text in await connection.scalars(query):
            namespaces.put(tuple(from_json(text)), "", {})
        return namespaces.batch([op])[0]
    return None


def found(op: SearchOp, items: Sequence[dict[str, Any]]) -> list[SearchItem]:
    """Return those of the items that the filter lets through, from the offset on."""
    if op.filter:
        held = InMemoryStore()
        for item in items:
            held.put(item["namespace"], item["key"], item["value"])
        passed = held.search((), filter=op.filter, limit=len(items))
        through = {(item.namespace, item.key) for item in passed}
        items = [item for item in items if (item["namespace"], item["key"]) in through]
    return [SearchItem(**item) for item in items[op.offset : op.offset + op.limit]]


def fields_of(row: Row[Any]) -> dict[str, Any]:
    """Return what LangGraph's items are made with."""
    return {
        "namespace": tuple(from_json(row.namespace)),
        "key": row.key,
        "value": row.value,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def mine(caller: Caller) -> ColumnElement[bool]:
    return and_(store_items.c.tenant_id == caller.tenant_id, store_items.c.user_id == caller.user_id)


def this(caller: Caller, op: GetOp | PutOp) -> ColumnElement[bool]:
    namespace, key = json_text(op.namespace), whole_text(op.key)
    return and_(mine(caller), store_items.c.namespace == namespace, store_items.c.key == key)


def begins_with(prefix: tuple[str, ...]) -> ColumnElement[bool]:
    """Return the condition that a namespace has these parts at its beginning: its JSON begins as theirs."""
    begun = json_text(prefix).removesuffix("]")
    return func.substr(store_items.c.namespace, 1, len(begun)) == begun


def within_bytes(text: str, most: int, what: str) -> str:
    """Return the text, whole. Raises NoRoom."""
    text = whole_text(text)
    if len(text.encode()) > most:
        raise NoRoom(f"an item's {what} has {most:,} bytes at most")
    return text


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the event loop that this thread runs, None in any other."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
