"""Threads in which nothing was said for long: erased with all that is of them, of every tenant."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine
from test_thread_store import rows
from waiting import until

from gatehouse.attachments.store import AttachmentStore, Bounds
from gatehouse.attachments.tables import attachments
from gatehouse.identity.principal import Principal
from gatehouse.runs.events import Usage
from gatehouse.storage.tenancy import tenant_transaction
from gatehouse.threads.retention import erase, purge, purging_threads
from gatehouse.threads.store import Answer, ThreadStore
from gatehouse.threads.tables import threads
from gatehouse.usage.feedback import FeedbackStore, Judged
from gatehouse.usage.feedback_table import feedback


async def begun(store: ThreadStore, engine: AsyncEngine, owner: Principal, days: float) -> str:
    """Return a thread of this age, with a message in it."""
    thread = await store.create(owner, "chat", "")
    run_id = f"run-{thread.id}"[:36]
    await store.begin(owner, thread.id, run_id, "hello")
    await FeedbackStore(engine).put(owner, Judged(run_id, thread.id, "chat"), "up", "")
    files = AttachmentStore(engine, Bounds(9, 99, timedelta(hours=1)))
    await files.bind(owner, [(await files.keep(owner, "a", b"a")).id], thread.id)
    await aged(engine, owner, thread.id, days)
    return thread.id


async def aged(engine: AsyncEngine, owner: Principal, thread_id: str, days: float) -> None:
    """Have nothing been said in a thread for so many days."""
    async with tenant_transaction(engine, owner.tenant_id) as connection:
        this = update(threads).where(threads.c.id == thread_id)
        await connection.execute(this.values(updated_at=datetime.now(UTC) - timedelta(days=days)))


async def test_erases_what_is_old_of_every_tenant_and_nothing_else(
    store: ThreadStore, engine: AsyncEngine, unbound: AsyncEngine, alice: Principal, stranger: Principal
) -> None:
    old = [await begun(store, engine, owner, 31) for owner in (alice, stranger)]
    new = await begun(store, engine, alice, 29)
    await store.answer(
        alice, old[0], Answer(f"run-{old[0]}"[:36], 1, "hi", (), "complete", Usage(), checkpoint_id="c")
    )
    await aged(engine, alice, old[0], 31)
    forgotten: list[tuple[str, str]] = []

    async def forget(tenant_id: str, states: Sequence[str]) -> None:
        forgotten.extend((tenant_id, state) for state in states)

    assert await purge(engine, 30, forget) == 2
    assert await purge(engine, 30) == 0
    [(tenant_id, state)] = forgotten
    assert tenant_id == alice.tenant_id
    assert old[0] in state
    assert await rows(unbound) == (1, 1)
    async with unbound.connect() as connection:
        for table in (attachments, feedback):
            assert await connection.scalar(select(func.count()).select_from(table)) == 1
    assert (await store.get(alice, new)).id == new


async def test_leaves_a_thread_that_was_written_in(
    store: ThreadStore, engine: AsyncEngine, alice: Principal
) -> None:
    thread_id = await begun(store, engine, alice, 31)
    await store.begin(alice, thread_id, "another", "hello again")
    assert await purge(engine, 30) == 0


async def test_leaves_a_thread_that_was_written_in_since_it_was_found(
    store: ThreadStore, engine: AsyncEngine, alice: Principal
) -> None:
    old, new = [await begun(store, engine, alice, 31) for _ in range(2)]
    for thread_id in (old, new):  # which moves both to now
        answer = Answer(f"run-{thread_id}"[:36], 1, "hi", (), "complete", Usage(), checkpoint_id="c")
        await store.answer(alice, thread_id, answer)
    await aged(engine, alice, old, 31)
    forgotten: list[str] = []

    async def forget(_tenant_id: str, states: Sequence[str]) -> None:
        forgotten.extend(states)

    before = datetime.now(UTC) - timedelta(days=30)
    assert await erase(engine, alice.tenant_id, [old, new], before, forget) == 1
    assert (await store.get(alice, new)).id == new
    assert [old in state for state in forgotten] == [True]


async def test_goes_on_in_the_background_where_it_is_set(
    store: ThreadStore,
    engine: AsyncEngine,
    unbound: AsyncEngine,
    alice: Principal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gatehouse.threads.retention.FIRST_AFTER", 0.0)
    await begun(store, engine, alice, 31)

    async def gone() -> bool:
        return await rows(unbound) == (0, 0)

    async with purging_threads(engine, 30):
        await until(gone)


async def test_does_not_go_on_where_it_is_not_set(engine: AsyncEngine) -> None:
    before = asyncio.all_tasks()
    async with purging_threads(engine, None):
        assert asyncio.all_tasks() == before
