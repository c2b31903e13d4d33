"""What is asked of, and done to, the branches of a thread within a transaction on it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import NotFound
from gatehouse.threads import queries
from gatehouse.threads.branches import BEGINNING, Place, Tree
from gatehouse.threads.models import Message

NO_SUCH_MESSAGE = "There is no such message in this thread."


async def tree_of(connection: AsyncConnection, principal: Principal, thread_id: str) -> Tree:
    """Return where the thread's messages are."""
    rows = await connection.execute(queries.PLACES, queries.owner(principal, thread_id))
    return Tree(Place(*row) for row in rows)


async def question_of(
    connection: AsyncConnection, principal: Principal, thread_id: str, message_id: str
) -> str:
    """Return the id of the question that a message is, or answers. Raises NotFound."""
    question = (await tree_of(connection, principal, thread_id)).question_of(message_id)
    if question is None:
        raise NotFound(NO_SUCH_MESSAGE)
    return question


async def leave_branch(connection: AsyncConnection, principal: Principal, thread_id: str, forked: str) -> str:
    """Show no more than what is before a message, and return the last of that. Raises NotFound."""
    tree = await tree_of(connection, principal, thread_id)
    question = tree.question_of(forked)
    if question is None:
        raise NotFound(NO_SUCH_MESSAGE)
    before = tree.before(question)
    await connection.execute(queries.show_only(principal, thread_id, before))
    return before[-1] if before else BEGINNING


async def show_branch(
    connection: AsyncConnection, principal: Principal, thread_id: str, message_id: str
) -> None:
    """Show the branch that a message is on. Raises NotFound."""
    tree = await tree_of(connection, principal, thread_id)
    if message_id not in tree.by_id:
        raise NotFound(NO_SUCH_MESSAGE)
    await connection.execute(queries.show_only(principal, thread_id, tree.branch_of(message_id)))


async def with_branches(
    connection: AsyncConnection, principal: Principal, thread_id: str, rows: Sequence[Row[Any]]
) -> tuple[Message, ...]:
    """Return rows as messages that know what else was asked in their place."""
    messages = tuple(Message.model_validate(row) for row in rows)
    hidden = await connection.scalar(queries.HIDDEN, queries.owner(principal, thread_id))
    if hidden is None:
        return messages
    tree = await tree_of(connection, principal, thread_id)
    return tuple(
        message.model_copy(update={"branches": tree.alternatives(message.id)}) for message in messages
    )
