"""Where threads and their messages are kept. What is another's is not found, as if it did not exist."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from langchain_core.utils.uuid import uuid7
from sqlalchemy import delete, exists, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gatehouse.attachments.store import bind
from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import Conflict, NotFound
from gatehouse.runs.conversation.places import StatePlace
from gatehouse.runs.events import Usage
from gatehouse.storage.inserting import insert_if_new
from gatehouse.storage.tenancy import tenant_transaction
from gatehouse.threads import queries
from gatehouse.threads.answering import answering
from gatehouse.threads.beginning import beginning, first_rows
from gatehouse.threads.branches import BEGINNING, Place
from gatehouse.threads.branching import leave_branch, question_of, show_branch, tree_of, with_branches
from gatehouse.threads.cursors import message_cursor, thread_cursor
from gatehouse.threads.models import Attached, MessagePage, MessageStatus, Thread, ThreadPage, ToolCall
from gatehouse.threads.rows import (
    Blocks,
    append,
    lock,
    owned_by,
    placed,
    read_thread,
    said,
    storable,
    storable_json,
    touch,
)
from gatehouse.threads.tables import messages, threads
from gatehouse.threads.titles import title_of

INSERT_THREAD = insert(threads)
ATTACHMENT = "attachment"  # the type of a block that stands for a file
JUST_BEGUN = "This thread has just begun with another message."


@dataclass(frozen=True, slots=True)
class Answer:
    """What a run said in the end. A later attempt's answer replaces that of an earlier one.

    `content` has what there is of `message` and `value`, as in `complete`; `checkpoint_id` is the state that
    a graph left.
    """

    run_id: str
    attempt: int
    text: str
    tool_calls: tuple[ToolCall, ...]
    status: MessageStatus
    usage: Usage
    finish_reason: str | None = None
    content: Mapping[str, Any] = field(default_factory=dict)
    checkpoint_id: str | None = None

    def columns(self) -> dict[str, Any]:
        """Return the columns of its message."""
        return {
            "run_id": self.run_id,
            "attempt": self.attempt,
            "role": "ai",
            "content": storable(self.text),
            "tool_calls": [call.model_dump() for call in self.tool_calls],
            "status": self.status,
            "usage": asdict(self.usage),
            "finish_reason": self.finish_reason,
            "blocks": storable_json(more_than_text(self.content.get("message"))),
            "value": storable_json(self.content.get("value")),
            "checkpoint_id": self.checkpoint_id,
        }


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody asked in a thread: the message's id, its text, the ids of the files it is about.

    `value` is the whole input, where that is more than the text.
    """

    id: str
    text: str
    attachments: tuple[str, ...] = ()
    value: Any = None


class ThreadStore:
    """The threads of every user. A connection is held for one call and no longer.

    Changes to a thread begin with an update of its row, which is the lock that they wait for.
    """

    def __init__(self, engine: AsyncEngine, max_messages: int = 1000) -> None:
        self._engine = engine
        self._max_messages = max_messages
        # made once: they are compiled for each that is new
        self._insert_if_new = insert_if_new(engine, threads)
        self._begin_thread = beginning(engine)
        self._answer = answering(engine)

    async def create(
        self, principal: Principal, runnable: str, title: str, thread_id: str | None = None
    ) -> Thread:
        """Begin a thread. One without a title takes that of its first message.

        With a `thread_id` it is the caller's own, which nobody else can have: where there is one, it stays as
        it is.
        """
        now = datetime.now(UTC)
        thread = Thread(
            id=thread_id or str(uuid7()),
            runnable=runnable,
            title=storable(title),
            created_at=now,
            updated_at=now,
        )
        statement = INSERT_THREAD if thread_id is None else self._insert_if_new
        async with self._transaction(principal) as connection:
            await connection.execute(statement, {**thread.model_dump(), **owned_by(principal)})
        return thread

    async def open(
        self,
        principal: Principal,
        thread_id: str,
        runnable: str,
        run_id: str,
        text: str,
        attached: Sequence[Attached] = (),
        blocks: Blocks | None = None,
        value: Any = None,
    ) -> None:
        """Begin a thread with the message that starts a run; its title comes from the message.

        Raises Conflict when there is one with this id.
        """
        question = said(run_id, text, attached, blocks, value)
        thread = thread_row(principal, thread_id, runnable, question)
        if not attached:
            if not await self._begin_thread(thread, first_rows(principal, thread_id, question, None)):
                raise Conflict(JUST_BEGUN)
            return
        async with self._transaction(principal) as connection:
            try:
                await connection.execute(INSERT_THREAD, thread)
            except IntegrityError:
                raise Conflict(JUST_BEGUN) from None
            await bind(connection, principal, [file.id for file in attached], thread_id)
            await append(connection, principal, thread_id, 1, {**question, "parent_id": BEGINNING})

    async def open_late(
        self,
        principal: Principal,
        thread_id: str,
        runnable: str,
        question: Mapping[str, Any],
        answer: Answer | None = None,
    ) -> None:
        """Begin a thread with the message that a run began with, and with its answer when it has ended.

        `question` has the message's columns. Where there is the thread, it has the question already.
        """
        row = thread_row(principal, thread_id, runnable, question)
        rows = first_rows(principal, thread_id, question, answer.columns() if answer else None)
        if not await self._begin_thread(row, rows) and answer:
            await self.answer(principal, thread_id, answer)

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
            columns = messages.c.content, messages.c.attachments, messages.c.value
            row = (await connection.execute(select(*columns).where(messages.c.id == found))).one()
        files = tuple(file["id"] for file in row.attachments or ())
        return Question(found, str(row.content), files, row.value)

    async def shown(self, principal: Principal, thread_id: str) -> list[Place]:
        """Return where the messages of the branch that is shown are, the oldest first."""
        query = queries.PLACES.where(messages.c.shown).order_by(messages.c.position)
        async with self._transaction(principal) as connection:
            rows = await connection.execute(query, queries.owner(principal, thread_id))
            return [Place(*row) for row in rows]

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
        blocks: Blocks | None = None,
        value: Any = None,
    ) -> None:
        """Store the message that starts a run; a repetition stores nothing.

        With `forks`, a message of the thread, it begins a branch: in place of that question, or of the one
        that was answered so. Raises NotFound, and Conflict when the thread has as many messages as it may.
        """
        async with self._transaction(principal) as connection:
            if not await touch(connection, principal, thread_id, title_of(text)):
                raise NotFound(queries.NO_SUCH_THREAD)
            place = await placed(connection, principal, thread_id, run_id, "human")
            if place.attempt:
                return
            if (count := place.count) >= self._max_messages:
                raise Conflict(f"This thread has {count} messages and takes no more: begin another one.")
            await bind(connection, principal, [file.id for file in attached], thread_id)
            parent = await leave_branch(connection, principal, thread_id, forks) if forks else place.last
            question = {**said(run_id, text, attached, blocks, value), "parent_id": parent}
            await append(connection, principal, thread_id, count + 1, question)

    async def unsay(self, principal: Principal, thread_id: str, run_id: str, *, with_thread: bool) -> None:
        """Erase the message of a run that could not be started, and the thread that began with it.

        One in which another message was said meanwhile stays.
        """
        said = delete(messages).where(queries.messages_of(principal, thread_id), messages.c.run_id == run_id)
        async with self._transaction(principal) as connection:
            await connection.execute(said)
            if with_thread:
                empty = ~exists().where(messages.c.thread_id == thread_id)
                mine = queries.this_thread(principal, thread_id)
                await connection.execute(delete(threads).where(mine, empty))

    async def answer(self, principal: Principal, thread_id: str, answer: Answer) -> None:
        """Store a run's answer. Nothing happens when its thread was deleted or a later attempt answered."""
        await self._answer(principal, thread_id, answer.columns())

    async def exchanges(
        self, principal: Principal, thread_id: str, run_id: str, characters: int
    ) -> list[tuple[str | Blocks, str]]:
        """Return the thread's messages but those of `run_id`, each with its answer, oldest first.

        A message that is more than text is its content blocks. They are the newest that have at most
        `characters` in all; what was not answered is left out.
        """
        values = {**queries.owner(principal, thread_id, run_id), "characters": characters}
        async with self._transaction(principal) as connection:
            rows = await connection.execute(queries.EXCHANGES, values)
            return [(told(said, blocks, files), answer) for said, blocks, files, answer in rows]

    async def place(self, principal: Principal, thread_id: str, run_id: str) -> StatePlace:
        """Return where a run goes on in the states of the thread: after the newest of its own branch."""
        values = queries.owner(principal, thread_id, run_id)
        async with self._transaction(principal) as connection:
            tree = await tree_of(connection, principal, thread_id)
            question = (await connection.execute(queries.QUESTION, values)).one_or_none()
            states = await connection.execute(queries.STATES, values)
            kept = {row.id: row.checkpoint_id for row in states}
        before = tree.before(question.id) if question else []
        mine = [kept[message_id] for message_id in before if message_id in kept]
        root = tree.by_id[before[0]].run_id if before else run_id
        return StatePlace(root, mine[-1] if mine else "")

    def _transaction(self, principal: Principal) -> AbstractAsyncContextManager[AsyncConnection]:
        return tenant_transaction(self._engine, principal.tenant_id)


def thread_row(
    principal: Principal, thread_id: str, runnable: str, question: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the row of a thread that begins now, with the title that its first message gives it."""
    now = datetime.now(UTC)
    thread = {"id": thread_id, "runnable": runnable, "title": storable(title_of(question["content"]))}
    return {**thread, "created_at": now, "updated_at": now, **owned_by(principal)}


def told(said: str, blocks: Blocks | None, files: Blocks | None) -> str | Blocks:
    """Return a question as it was asked; its files are blocks of a type of our own, with their ids."""
    if not files:
        return blocks or said
    text: Blocks = [{"type": "text", "text": said}]
    return [*(blocks or text), *({**file, "type": ATTACHMENT} for file in files)]


def more_than_text(message: Mapping[str, Any] | None) -> Blocks | None:
    """Return the content blocks of a message; None when they say no more than its text."""
    blocks = message["content"] if message else []
    plain = len(blocks) <= 1 and all(block.keys() == {"type", "text"} for block in blocks)
    return None if plain else list(blocks)
