"""Feedback on both databases, and when two requests give it at once."""

import asyncio

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import NotFound
from gatehouse.threads.store import ThreadStore
from gatehouse.usage.feedback import FeedbackStore, Judged

ALICE = Principal("acme", "alice", "Alice", frozenset("*"), "jwt", "acme-alice")
RUN = "0198c0de-0000-7000-8000-000000000003"


@pytest.fixture
async def judged(engine: AsyncEngine) -> Judged:
    """A run whose message is in a thread."""
    threads = ThreadStore(engine)
    thread = await threads.create(ALICE, "chat", "")
    await threads.begin(ALICE, thread.id, RUN, "Hello")
    return Judged(RUN, thread.id, "chat")


async def test_finds_the_run_in_the_messages_of_its_thread(engine: AsyncEngine, judged: Judged) -> None:
    store = FeedbackStore(engine)
    assert await store.judged(ALICE, RUN) == judged
    assert await store.judged(ALICE, "another") is None


async def test_of_many_requests_at_once_is_one_row(engine: AsyncEngine, judged: Judged) -> None:
    store = FeedbackStore(engine)
    await asyncio.gather(*(store.put(ALICE, judged, "up", f"{number}") for number in range(8)))
    assert judged.thread_id is not None
    [kept] = await store.of_thread(ALICE, judged.thread_id)
    assert (kept.score, kept.run_id) == ("up", RUN)


async def test_of_a_thread_is_told_in_the_order_in_which_it_was_given(
    engine: AsyncEngine, judged: Judged
) -> None:
    store = FeedbackStore(engine)
    before = RUN[:-1] + "2"
    for run_id in (RUN, before):
        await store.put(ALICE, Judged(run_id, judged.thread_id, "chat"), "up", "")
    assert judged.thread_id is not None
    assert [kept.run_id for kept in await store.of_thread(ALICE, judged.thread_id)] == [RUN, before]


async def test_on_a_thread_that_is_deleted_meanwhile_is_not_found(
    engine: AsyncEngine, judged: Judged
) -> None:
    assert judged.thread_id is not None
    await ThreadStore(engine).delete(ALICE, judged.thread_id)
    with pytest.raises(NotFound):
        await FeedbackStore(engine).put(ALICE, judged, "up", "")


async def test_that_is_not_there_cannot_be_withdrawn(engine: AsyncEngine) -> None:
    with pytest.raises(NotFound):
        await FeedbackStore(engine).withdraw(ALICE, RUN)
