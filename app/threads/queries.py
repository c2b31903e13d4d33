"""The statements over threads and messages. Each of them reaches one user of one tenant only."""

import re
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, Update, and_, func, select, tuple_, update

from app.auth.principal import Principal
from app.errors import NotFound
from app.threads.cursors import read_message_cursor, read_thread_cursor
from app.threads.tables import messages, threads

# in one spelling only: the id is also the name of a lock elsewhere
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

NO_SUCH_THREAD = "There is no such thread."


def owned(table: FromClause, principal: Principal) -> ColumnElement[bool]:
    """Return the condition that a row is the principal's."""
    return and_(table.c.tenant_id == principal.tenant_id, table.c.user_id == principal.user_id)


def this_thread(principal: Principal, thread_id: str) -> ColumnElement[bool]:
    """Return the condition that picks the principal's thread. Raises NotFound if the id can't be one."""
    if not UUID.fullmatch(thread_id):
        raise NotFound(NO_SUCH_THREAD)
    return and_(threads.c.id == thread_id, owned(threads, principal))


def messages_of(principal: Principal, thread_id: str) -> ColumnElement[bool]:
    """Return the condition that picks the messages of the principal's thread."""
    return and_(messages.c.thread_id == thread_id, owned(messages, principal))


def thread_page(principal: Principal, limit: int, cursor: str | None) -> Select[Any]:
    """Return the query of a page of threads, the newest first, and of one more if there is one."""
    query = select(threads).where(owned(threads, principal))
    if cursor is not None:
        query = query.where(tuple_(threads.c.updated_at, threads.c.id) < read_thread_cursor(cursor))
    return query.order_by(threads.c.updated_at.desc(), threads.c.id.desc()).limit(limit + 1)


def message_page(principal: Principal, thread_id: str, limit: int, cursor: str | None) -> Select[Any]:
    """Return the query of a page of messages, the oldest first, and of one more if there is one."""
    query = select(messages).where(messages_of(principal, thread_id))
    if cursor is not None:
        query = query.where(messages.c.position > read_message_cursor(cursor))
    return query.order_by(messages.c.position).limit(limit + 1)


def last_position(principal: Principal, thread_id: str) -> Select[int]:
    """Return the query of the position of the thread's last message, 0 when it has none."""
    return select(func.coalesce(func.max(messages.c.position), 0)).where(messages_of(principal, thread_id))


def known_message(principal: Principal, thread_id: str, run_id: str, role: str) -> Select[str, int]:
    """Return the query of the id and the attempt of a run's message, if it is stored already."""
    return select(messages.c.id, messages.c.attempt).where(
        messages_of(principal, thread_id), messages.c.run_id == run_id, messages.c.role == role
    )


def replaced_answer(principal: Principal, message_id: str) -> Update:
    """Return the update of a run's answer by that of another attempt."""
    return update(messages).where(messages.c.id == message_id, owned(messages, principal))


def exchanges(principal: Principal, thread_id: str, run_id: str, characters: int) -> Select[str, str]:
    """Return the query of what was said and answered before a run, the oldest first.

    Only the newest exchanges that have `characters` in all are read, so that a long thread costs no more
    than what is used of it. What has no answer in words is left out.
    """
    said, answer = messages.alias("said"), messages.alias("answer")
    length = func.length(said.c.content) + func.length(answer.c.content)
    newest = (
        select(
            said.c.content.label("said"),
            answer.c.content.label("answer"),
            said.c.position,
            func.sum(length).over(order_by=said.c.position.desc()).label("characters"),
        )
        .join_from(said, answer, said.c.run_id == answer.c.run_id)
        .where(owned(said, principal), said.c.thread_id == thread_id, said.c.role == "human")
        .where(owned(answer, principal), answer.c.thread_id == thread_id, answer.c.role == "ai")
        .where(said.c.run_id != run_id, answer.c.content != "")
        .subquery()
    )
    return (
        select(newest.c.said, newest.c.answer)
        .where(newest.c.characters <= characters)
        .order_by(newest.c.position)
    )
