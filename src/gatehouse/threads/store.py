"""Where threads and their messages are kept. What is another's is not found, as if it did not exist."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from langchain_core.utils.uuid import uuid7
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gatehouse.attachments.store import bind
from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import Conflict, NotFound
from gatehouse.runs.events import Usage
from gatehouse.storage.tenancy import tenant_transaction
from gatehouse.threads import queries
from gatehouse.threads.branches import BEGINNING
from gatehouse.threads.branching import leave_branch, question_of, show_branch, with_branches
from gatehouse.threads.cursors import message_cursor, thread_cursor
from gatehouse.threads.models import Attached, MessagePage, MessageStatus, Thread, ThreadPage, ToolCall
from gatehouse.threads.rows import append, beneath, lock, owned_by, placed, read_thread, said, storable, touch
from gatehouse.threads.tables import messages, threads
from gatehouse.threads.titles import title_of

INSERT_THREAD = insert(threads)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a run said in the end. A later attempt's answer replaces that of an earlier one."""

    run_id: str
    attempt: int
    text: str
    tool_calls: tuple[ToolCall, ...]
    status: MessageStatus
    usage: Usage


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody asked in a thread: the message's id, its text, the ids of the files it is about."""

    id: str
    text: str
    attachments: tuple[str, ...] = ()


class ThreadStore:
    """The threads of every user. A connection is held for one call and no longer.

    Changes to a thread begin with an update of its row, which is the lock that they wait for.
    """

    def __init__(self, engine: AsyncEngine, max_messages: int = 1000) -> None:
        self._engine = engine
        self._max_messages = max_messages

    async def create(self, principal: Principal, runnable: str, title: str) -> Thread:
        """Begin a thread. One without a title takes that of its first message."""
        now = datetime.now(UTC)
        thread = Thread(
            id=str(uuid7()), runnable=runnable, title=storable(title), created_at=now, updated_at=now
        )
        async with self._transaction(principal) as connection:
            await connection.execute(INSERT_THREAD, {**thread.model_dump(), **owned_by(principal)})
        return thread

    async def open(
        self,
        principal: Principal,
        thread_id: str,
        runnable: str,
        run_id: str,
        text: str,
        attached: Sequence[Attached] = (),
    ) -> None:
        """Begin a thread with the message that starts a run; its title comes from the message."""
        now = datetime.now(UTC)
        thread = {"id": thread_id, "runnable": runnable, "title": storable(title_of(text))}
        async with self._transaction(principal) as connection:
            await connection.execute(
                INSERT_THREAD, {**thread, "created_at": now, "updated_at": now, **owned_by(principal)}
            )
            await bind(connection, principal, [file.id for file in attached], thread_id)
            first = {**said(run_id, text, attached), "parent_id": BEGINNING}
            await append(connection, principal, thread_id, 1, first)

    async def get(self, principal: Principal, thread_id: str) -> Thread:
        """Return the caller's thread. Raises NotFound."""
        async with self._transaction(principal) as connection:
            return await read_thread(connection, principal, thread_id)

    async def page(self, principal: Principal, limit: int, cursor: str | None = None) -> ThreadPage:
        """Return the caller's threads, that with the newest message first. Raises BadRequest for the cursor.

        A thread that gets a message while its list is read moves to the front of it.
        """
        query = queries.thread_page(principal, limit, cursor)
        async with self._transaction(principal) as connection:
            rows = (await connection.execute(query)).all()
        items = tuple(Thread.model_validate(row) for row in rows[:limit])
        more = len(rows) > limit
        return ThreadPage(
            items=items, next_cursor=thread_cursor(items[-1].updated_at, items[-1].id) if more else None
        )

    async def rename(self, principal: Principal, thread_id: str, title: str) -> Thread:
        """Give the thread another title and return it. Raises NotFound."""
        change = update(threads).where(queries.this_thread(principal, thread_id))
        async with self._transaction(principal) as connection:
            await connection.execute(change.values(title=storable(title)))
            return await read_thread(connection, principal, thread_id)

    async def delete(self, principal: Principal, thread_id: str) -> list[str]:
        """Erase the thread and its messages; return the ids of its runs, oldest first. Raises NotFound."""
        of_thread = queries.messages_of(principal, thread_id)
        run_ids = select(messages.c.run_id).where(of_thread).order_by(messages.c.position)
        async with self._transaction(principal) as connection:
            if not await touch(connection, principal, thread_id):
                raise NotFound(queries.NO_SUCH_THREAD)
            erased = (await connection.scalars(run_ids)).all()
            await connection.execute(delete(messages).where(of_thread))
            await connection.execute(delete(threads).where(queries.this_thread(principal, thread_id)))
        return list(dict.fromkeys(erased))

    async def messages(
        self, principal: Principal, thread_id: str, limit: int, cursor: str | None = None
    ) -> MessagePage:
        """Return messages of the branch that is shown, oldest first.

        Raises NotFound, and BadRequest for the cursor.
        """
        query = queries.message_page(principal, thread_id, limit, cursor)
        async with self._transaction(principal) as connection:
            await read_thread(connection, principal, thread_id)
            rows = (await connection.execute(query)).all()
            items = await with_branches(connection, principal, thread_id, rows[:limit])
        more = len(rows) > limit
        return MessagePage(
            items=items, next_cursor=message_cursor(rows[limit - 1].position) if more else None
        )

    async def question(self, principal: Principal, thread_id: str, message_id: str) -> Question:
        """Return the question that a message is, or answers. Raises NotFound."""
        async with self._transaction(principal) as connection:
            await read_thread(connection, principal, thread_id)
            found = await question_of(connection, principal, thread_id, message_id)
            query = select(messages.c.content, messages.c.attachments).where(messages.c.id == found)
            row = (await connection.execute(query)).one()
        return Question(found, str(row.content), tuple(file["id"] for file in row.attachments or ()))

    async def show(self, principal: Principal, thread_id: str, message_id: str) -> Thread:
        """Show the branch that a message is on, and return the thread. Raises NotFound."""
        async with self._transaction(principal) as connection:
            if not await lock(connection, principal, thread_id):
                raise NotFound(queries.NO_SUCH_THREAD)
            await show_branch(connection, principal, thread_id, message_id)
            return await read_thread(connection, principal, thread_id)

    async def begin(
        self,
        principal: Principal,
        thread_id: str,
        run_id: str,
        text: str,
        forks: str = "",
        attached: Sequence[Attached] = (),
    ) -> None:
        """Store the message that starts a run; a repetition stores nothing.

        With `forks`, a message of the thread, it begins a branch: in place of that question, or of the one
        that was answered so. Raises NotFound, and Conflict when the thread has as many messages as it may.
        """
        async with self._transaction(principal) as connection:
            if not await touch(connection, principal, thread_id, title_of(text)):
                raise NotFound(queries.NO_SUCH_THREAD)
            count, attempt, last = await placed(connection, principal, thread_id, run_id, "human")
            if attempt:
                return
            if count >= self._max_messages:
                raise Conflict(f"This thread has {count} messages and takes no more: begin another one.")
            await bind(connection, principal, [file.id for file in attached], thread_id)
            parent = await leave_branch(connection, principal, thread_id, forks) if forks else last
            question = {**said(run_id, text, attached), "parent_id": parent}
            await append(connection, principal, thread_id, count + 1, question)

    async def answer(self, principal: Principal, thread_id: str, answer: Answer) -> None:
        """Store a run's answer. Nothing happens when its thread was deleted or a later attempt answered."""
        row = {
            "run_id": answer.run_id,
            "attempt": answer.attempt,
            "role": "ai",
            "content": storable(answer.text),
            "tool_calls": [call.model_dump() for call in answer.tool_calls],
            "status": answer.status,
            "usage": asdict(answer.usage),
        }
        async with self._transaction(principal) as connection:
            if not await touch(connection, principal, thread_id):
                return
            count, attempt, last = await placed(connection, principal, thread_id, answer.run_id, "ai")
            if not attempt:
                row |= await beneath(connection, principal, thread_id, answer.run_id, last)
                await append(connection, principal, thread_id, count + 1, row)
            elif attempt <= answer.attempt:
                await connection.execute(queries.answer_of(principal, thread_id, answer.run_id).values(row))

    async def exchanges(
        self, principal: Principal, thread_id: str, run_id: str, characters: int
    ) -> list[tuple[str, str]]:
        """Return the thread's messages but those of `run_id`, each with its answer, oldest first.

        They are the newest that have at most `characters` in all; what was not answered is left out.
        """
        values = {**queries.owner(principal, thread_id, run_id), "characters": characters}
        async with self._transaction(principal) as connection:
            return [(said, answer) for said, answer in await connection.execute(queries.EXCHANGES, values)]

    def _transaction(self, principal: Principal) -> AbstractAsyncContextManager[AsyncConnection]:
        return tenant_transaction(self._engine, principal.tenant_id)
