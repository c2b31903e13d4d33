"""What users think of answers, as it is stored."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import NotFound
from gatehouse.storage.tenancy import tenant_transaction
from gatehouse.threads.rows import storable
from gatehouse.threads.tables import messages, threads
from gatehouse.usage.feedback_table import feedback

Score = Literal["up", "down"]


class Feedback(BaseModel):
    """What the caller thinks of a run's answer."""

    model_config = ConfigDict(from_attributes=True, frozen=True)

    run_id: str = Field(examples=["0198c0de-0000-7000-8000-000000000003"])
    thread_id: str | None = Field(description="the run's thread, with which the feedback is erased")
    runnable: str = Field(examples=["agent"])
    score: Score
    comment: str = Field(examples=["The figures are last year's."])
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Judged:
    """The run that feedback is about."""

    run_id: str
    thread_id: str | None
    runnable: str


class FeedbackStore:
    """The feedback of every user, one row a run. A connection is held for one call and no longer."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    def _transaction(self, principal: Principal) -> AbstractAsyncContextManager[AsyncConnection]:
        return tenant_transaction(self._engine, principal.tenant_id)

    async def judged(self, principal: Principal, run_id: str) -> Judged | None:
        """Return the caller's run as the messages of a thread know it, or None."""
        query = (
            select(messages.c.thread_id, threads.c.runnable)
            .join_from(messages, threads, messages.c.thread_id == threads.c.id)
            .where(messages.c.run_id == run_id)
            .where(messages.c.tenant_id == principal.tenant_id, messages.c.user_id == principal.user_id)
            .limit(1)
        )
        async with self._transaction(principal) as connection:
            row = (await connection.execute(query)).one_or_none()
        return row and Judged(run_id, row.thread_id, row.runnable)

    async def put(self, principal: Principal, judged: Judged, score: Score, comment: str) -> Feedback:
        """Store the caller's opinion of a run in place of an earlier one. Raises NotFound."""
        values = {"score": score, "comment": storable(comment), "updated_at": datetime.now(UTC)}
        try:
            async with self._transaction(principal) as connection:
                return await _put(connection, principal, judged, values)
        except IntegrityError:  # another request of the caller was first, or the thread is gone
            async with self._transaction(principal) as connection:
                return await _changed(connection, principal, judged.run_id, values)

    async def of_thread(self, principal: Principal, thread_id: str) -> list[Feedback]:
        """Return the caller's feedback on the runs of a thread, the oldest first; none for another's."""
        query = (
            select(feedback)
            .where(_owned(principal), feedback.c.thread_id == thread_id)
            .order_by(feedback.c.created_at, feedback.c.run_id)
        )
        async with self._transaction(principal) as connection:
            return [Feedback.model_validate(row) for row in await connection.execute(query)]

    async def withdraw(self, principal: Principal, run_id: str) -> None:
        """Erase the caller's feedback on a run. Raises NotFound when there is none."""
        async with self._transaction(principal) as connection:
            erased = await connection.execute(delete(feedback).where(_of_run(principal, run_id)))
        if not erased.rowcount:
            raise NotFound("There is no feedback on such a run.")


async def _put(
    connection: AsyncConnection, principal: Principal, judged: Judged, values: dict[str, Any]
) -> Feedback:
    changed = await connection.execute(
        update(feedback).where(_of_run(principal, judged.run_id)).values(values)
    )
    if not changed.rowcount:
        row = {
            "tenant_id": principal.tenant_id,
            "user_id": principal.user_id,
            "run_id": judged.run_id,
            "thread_id": judged.thread_id,
            "runnable": judged.runnable,
            "created_at": values["updated_at"],
            **values,
        }
        await connection.execute(insert(feedback), row)
    return await _read(connection, principal, judged.run_id)


async def _changed(
    connection: AsyncConnection, principal: Principal, run_id: str, values: dict[str, Any]
) -> Feedback:
    await connection.execute(update(feedback).where(_of_run(principal, run_id)).values(values))
    return await _read(connection, principal, run_id)


async def _read(connection: AsyncConnection, principal: Principal, run_id: str) -> Feedback:
    row = (await connection.execute(select(feedback).where(_of_run(principal, run_id)))).one_or_none()
    if row is None:
        raise NotFound("There is no such run.")
    return Feedback.model_validate(row)


def _owned(principal: Principal) -> ColumnElement[bool]:
    return and_(feedback.c.tenant_id == principal.tenant_id, feedback.c.user_id == principal.user_id)


def _of_run(principal: Principal, run_id: str) -> ColumnElement[bool]:
    return and_(_owned(principal), feedback.c.run_id == run_id)
