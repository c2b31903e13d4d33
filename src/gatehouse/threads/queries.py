"""The statements over threads and messages. Each of them reaches one user of one tenant only.

Those that a run needs are built once: building them costs more than executing them.
"""

import re
from collections.abc import Collection
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Update,
    and_,
    bindparam,
    case,
    func,
    select,
    tuple_,
    update,
)

from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import NotFound
from gatehouse.threads.cursors import read_message_cursor, read_thread_cursor
from gatehouse.threads.tables import messages, threads

# in one spelling only: the id is also the name of a lock elsewhere
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

NO_SUCH_THREAD = "There is no such thread."


def owned(table: FromClause, principal: Principal) -> ColumnElement[bool]:
    """Return the condition that a row is the principal's."""
    return and_(table.c.tenant_id == principal.tenant_id, table.c.user_id == principal.user_id)


def owner(principal: Principal, thread_id: str, run_id: str = "") -> dict[str, str]:
    """Return the values that the prepared statements are about. Raises NotFound if the id can't be one."""
    if not UUID.fullmatch(thread_id):
        raise NotFound(NO_SUCH_THREAD)
    mine = {"of_tenant": principal.tenant_id, "of_user": principal.user_id}
    return {**mine, "of_thread": thread_id, "of_run": run_id}


def _owned(table: FromClause) -> ColumnElement[bool]:
    """Return the condition that a row is of the `owner` whom a prepared statement is given."""
    return and_(table.c.tenant_id == bindparam("of_tenant"), table.c.user_id == bindparam("of_user"))


def _of_thread(table: FromClause) -> ColumnElement[bool]:
    return and_(table.c.thread_id == bindparam("of_thread"), _owned(table))


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
    query = select(messages).where(messages_of(principal, thread_id), messages.c.shown)
    if cursor is not None:
        query = query.where(messages.c.position > read_message_cursor(cursor))
    return query.order_by(messages.c.position).limit(limit + 1)


def answer_of(principal: Principal, thread_id: str, run_id: str) -> Update:
    """Return the update of a run's answer."""
    return update(messages).where(
        messages_of(principal, thread_id), messages.c.run_id == run_id, messages.c.role == "ai"
    )


def show_only(principal: Principal, thread_id: str, shown: Collection[str]) -> Update:
    """Return the update that shows these messages of the thread, and no other."""
    return update(messages).where(messages_of(principal, thread_id)).values(shown=messages.c.id.in_(shown))


# Takes the time `now`, and `new_title` for a thread that has no title
TOUCH = (
    update(threads)
    .where(threads.c.id == bindparam("of_thread"), _owned(threads))
    .values(
        updated_at=bindparam("now"),
        title=case((threads.c.title == "", bindparam("new_title")), else_=threads.c.title),
    )
)

# The id of a run's question, and whether its branch is shown
QUESTION = select(messages.c.id, messages.c.shown).where(
    _of_thread(messages), messages.c.run_id == bindparam("of_run"), messages.c.role == "human"
)

# The position of the thread's last message, the attempt of the run's message with the role `its_role`, the id
# of the last message that is shown, and the run's question and whether its branch is shown: each null when
# there is none. One statement: each is a hop or a round trip, within the lock on the thread
PLACE = select(
    select(func.max(messages.c.position)).where(_of_thread(messages)).scalar_subquery(),
    select(messages.c.attempt)
    .where(_of_thread(messages), messages.c.run_id == bindparam("of_run"))
    .where(messages.c.role == bindparam("its_role"))
    .scalar_subquery(),
    select(messages.c.id)
    .where(_of_thread(messages), messages.c.shown)
    .order_by(messages.c.position.desc())
    .limit(1)
    .scalar_subquery(),
    QUESTION.with_only_columns(messages.c.id).scalar_subquery(),
    QUESTION.with_only_columns(messages.c.shown).scalar_subquery(),
)

# Where each message of a thread is, shown or not
PLACES = select(
    messages.c.id, messages.c.parent_id, messages.c.position, messages.c.run_id, messages.c.role
).where(_of_thread(messages))

# The states that a graph left in a thread, by the ids of its answers
STATES = select(messages.c.id, messages.c.checkpoint_id).where(
    _of_thread(messages), messages.c.checkpoint_id.is_not(None)
)


def states_of(condition: ColumnElement[bool]) -> Select[str, str, str]:
    """Return the query of whose states graphs may have left: user, thread and run of each question."""
    stateful = select(messages.c.thread_id).where(condition, messages.c.checkpoint_id.is_not(None))
    return select(messages.c.user_id, messages.c.thread_id, messages.c.run_id).where(
        condition, messages.c.role == "human", messages.c.thread_id.in_(stateful)
    )


# Null unless a thread has branches
HIDDEN = select(messages.c.id).where(_of_thread(messages), ~messages.c.shown).limit(1)


def _exchanges() -> Select[str, Any, Any, str]:
    """Return the query of what was said and answered before a run, the oldest first.

    Only the newest exchanges that have `characters` in all are read, so that a long thread costs no more
    than what is used of it. What has no answer in words is left out.
    """
    said, answer = messages.alias("said"), messages.alias("answer")
    length = func.length(said.c.content) + func.length(answer.c.content)
    newest = (
        select(
            said.c.content.label("said"),
            said.c.blocks,
            said.c.attachments,
            answer.c.content.label("answer"),
            said.c.position,
            func.sum(length).over(order_by=said.c.position.desc()).label("characters"),
        )
        .join_from(said, answer, said.c.run_id == answer.c.run_id)
        .where(_of_thread(said), said.c.role == "human")
        .where(_of_thread(answer), answer.c.role == "ai")
        .where(said.c.run_id != bindparam("of_run"), said.c.shown, answer.c.content != "")
        .subquery()
    )
    return (
        select(newest.c.said, newest.c.blocks, newest.c.attachments, newest.c.answer)
        .where(newest.c.characters <= bindparam("characters"))
        .order_by(newest.c.position)
    )


EXCHANGES = _exchanges()
