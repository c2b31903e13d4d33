"""The rows of one thread, read and written within a transaction on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from langchain_core.utils.uuid import uuid7
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gatehouse.identity.principal import Principal
from gatehouse.plain_json import whole_text
from gatehouse.problems.errors import NotFound
from gatehouse.threads import queries
from gatehouse.threads.branches import BEGINNING
from gatehouse.threads.models import Attached, Thread
from gatehouse.threads.tables import messages, threads

Blocks = list[dict[str, Any]]

INSERT_MESSAGE = insert(messages)
NO_ANSWER = dict.fromkeys(("status", "usage", "finish_reason", "checkpoint_id"))


def storable(text: str) -> str:
    """Return `text` without what a database cannot hold: NUL in PostgreSQL's, half a character in any."""
    return whole_text(text).replace("\0", "\N{REPLACEMENT CHARACTER}")


def owned_by(principal: Principal) -> dict[str, str]:
    return {"tenant_id": principal.tenant_id, "user_id": principal.user_id}


async def read_thread(connection: AsyncConnection, principal: Principal, thread_id: str) -> Thread:
    query = select(threads).where(queries.this_thread(principal, thread_id))
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise NotFound(queries.NO_SUCH_THREAD)
    return Thread.model_validate(row)


async def touch(connection: AsyncConnection, principal: Principal, thread_id: str, title: str = "") -> bool:
    """Lock the thread for this transaction; False when the principal has no such thread.

    It gets this title if it has none.
    """
    result = await connection.execute(queries.TOUCH, touch_values(principal, thread_id, title))
    return result.rowcount == 1


def touch_values(principal: Principal, thread_id: str, title: str = "") -> dict[str, Any]:
    return {**queries.owner(principal, thread_id), "now": datetime.now(UTC), "new_title": storable(title)}


async def lock(connection: AsyncConnection, principal: Principal, thread_id: str) -> bool:
    """Lock the thread for this transaction, and leave it where it is in the list; False without it."""
    mine = update(threads).where(queries.this_thread(principal, thread_id))
    return (await connection.execute(mine.values(title=threads.c.title))).rowcount == 1


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message of a run goes: how many the thread has, the last that is shown (or BEGINNING), and the
    run's question, on a branch that is shown or not. `attempt` is that of the message if it is there, else 0.
    """

    count: int
    attempt: int
    last: str
    question: str | None
    shown: bool | None

    @classmethod
    def of(cls, row: Sequence[Any]) -> Self:
        """Return the place that the query of it has found."""
        count, attempt, last, question, shown = row
        return cls(
            count or 0, attempt or 0, last or BEGINNING, question, None if shown is None else bool(shown)
        )

    def beneath(self) -> dict[str, Any]:
        """Return where an answer is: beneath its question, on its branch; one without, after the last."""
        if self.question is None:
            return {"parent_id": self.last}
        return {"parent_id": self.question, "shown": self.shown}


async def placed(
    connection: AsyncConnection, principal: Principal, thread_id: str, run_id: str, role: str
) -> Place:
    """Return where the run's message with this role goes."""
    values = place_values(principal, thread_id, run_id, role)
    return Place.of((await connection.execute(queries.PLACE, values)).one())


def place_values(principal: Principal, thread_id: str, run_id: str, role: str) -> dict[str, str]:
    return {**queries.owner(principal, thread_id, run_id), "its_role": role}


def said(
    run_id: str,
    text: str,
    attached: Sequence[Attached] = (),
    blocks: Blocks | None = None,
    value: Any = None,
) -> dict[str, Any]:
    """Return the columns of a question."""
    question = {"run_id": run_id, "attempt": 1, "role": "human", "content": storable(text), "tool_calls": []}
    files = [file.model_dump() for file in attached] or None
    return {**question, "attachments": files, "blocks": storable_json(blocks), "value": storable_json(value)}


def storable_json(value: Any) -> Any:
    """Return JSON without what a database cannot hold in text."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {storable(name): storable_json(item) for name, item in value.items()}
    return [storable_json(item) for item in value] if isinstance(value, list) else value


async def append(
    connection: AsyncConnection, principal: Principal, thread_id: str, position: int, row: dict[str, Any]
) -> None:
    await connection.execute(INSERT_MESSAGE, message_row(principal, thread_id, position, row))


def message_row(
    principal: Principal, thread_id: str, position: int, row: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the row of a message that comes to a thread now."""
    place = {"thread_id": thread_id, "position": position, **owned_by(principal)}
    return {"id": str(uuid7()), "created_at": datetime.now(UTC), **place, **row}
