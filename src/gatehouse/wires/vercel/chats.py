"""A client's chat as a thread of ours: which one it is, what runs in it, where it branches off."""

import re
from collections.abc import Sequence
from uuid import UUID

from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import NotFound
from gatehouse.runs.records import RunRecord
from gatehouse.services import Services
from gatehouse.storage.digest import digest_of
from gatehouse.threads.branches import Place
from gatehouse.wires.vercel.parsing import UIChat

THREAD_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def named_thread(principal: Principal, runnable: str, chat: str) -> str:
    """Return the id of the thread that a chat of this name begins: each user and runnable has another."""
    digest = digest_of("chat", principal.tenant_id, principal.user_id, runnable, chat)
    return str(UUID(hex=digest[:32], version=5))


async def thread_of(services: Services, principal: Principal, runnable: str, chat: str) -> str | None:
    """Return the thread of a chat: the one of this id, or the one that was begun under this name.

    None when there is neither.
    """
    named = named_thread(principal, runnable, chat)
    for thread_id in (chat, named) if THREAD_ID.fullmatch(chat) else (named,):
        try:
            return (await services.threads.get(principal, thread_id)).id
        except NotFound:
            continue
    return None


async def running(
    services: Services, principal: Principal, runnable: str, chat: str, scope: str
) -> RunRecord | None:
    """Return the run that a chat has now, or None. Raises InsufficientScope."""
    thread_id = await thread_of(services, principal, runnable, chat)
    if thread_id is None:
        return None
    run_id = await services.runs.control.run_of(principal, thread_id)
    if run_id is None:
        return None
    try:
        return await services.runs.get(principal, run_id, scope)
    except NotFound:  # it is about to be stored
        return None


def forked(chat: UIChat, shown: Sequence[Place]) -> str:
    """Return the question in whose place this one is asked; empty when it is asked after the last.

    A client's messages have ids of its own, but for answers, whose id is their run's, and messages that it
    has read from our threads. Raises NotFound.
    """
    questions = [place for place in shown if place.role == "human"]
    if not questions or not (chat.trigger == "regenerate-message" or chat.edits):
        return ""
    by_name = {place.id: place for place in shown} | {place.run_id: place for place in questions}
    if place := by_name.get(chat.messageId or ""):
        return place.id
    if chat.trigger == "regenerate-message":
        return questions[-1].id
    before = [message.id for message in chat.messages[:-1] if message.role == "assistant"]
    if not before:
        return questions[0].id
    answered = by_name.get(before[-1])
    after = [place for place in questions if answered and place.position > answered.position]
    if not after or not answered:
        raise NotFound("The message that is edited is not in this chat.")
    following = [place for place in after if place.run_id != answered.run_id]
    return following[0].id if following else ""
