"""Branches of a thread: a question edited or asked again, what is shown, and what a model is told of it."""

from typing import Any

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import Conflict, NotFound
from gatehouse.runs.events import Usage
from gatehouse.storage.tenancy import tenant_transaction
from gatehouse.threads.branches import BEGINNING, Place, Tree
from gatehouse.threads.models import Message
from gatehouse.threads.rows import Blocks
from gatehouse.threads.store import Answer, ThreadStore
from gatehouse.threads.tables import messages

NOBODYS = "0198c0de-0000-7000-8000-000000000009"


class Thread:
    """A thread of one user that tests ask in; runs are called r1, r2, …"""

    def __init__(self, store: ThreadStore, owner: Principal, thread_id: str) -> None:
        self.store = store
        self.owner = owner
        self.id = thread_id
        self.runs = 0

    async def ask(self, text: str, forks: str = "", *, answered: bool = True) -> str:
        """Ask and answer; return the id of the run."""
        self.runs += 1
        run_id = f"{self.id[:20]}r{self.runs}"
        await self.store.begin(self.owner, self.id, run_id, text, forks)
        if answered:
            await self.answer(run_id, f"to {text}")
        return run_id

    async def answer(self, run_id: str, text: str) -> None:
        await self.store.answer(self.owner, self.id, Answer(run_id, 1, text, (), "complete", Usage()))

    async def shown(self) -> list[Message]:
        return list((await self.store.messages(self.owner, self.id, 100)).items)

    async def texts(self) -> list[str]:
        return [message.content for message in await self.shown()]

    async def told(self) -> list[str | Blocks]:
        """Return what the next question's model is told of."""
        return [said for said, _ in await self.store.exchanges(self.owner, self.id, "next", 10_000)]

    async def message(self, text: str) -> Message:
        return next(message for message in await self.shown() if message.content == text)


@pytest.fixture
async def thread(store: ThreadStore, alice: Principal) -> Thread:
    """A thread in which a and b were asked and answered."""
    thread = Thread(store, alice, (await store.create(alice, "chat", "")).id)
    await thread.ask("a")
    await thread.ask("b")
    return thread


class TestFork:
    async def test_shows_the_new_branch_and_keeps_the_old(self, thread: Thread) -> None:
        await thread.ask("b2", (await thread.message("b")).id)
        assert await thread.texts() == ["a", "to a", "b2", "to b2"]
        assert await thread.told() == ["a", "b2"]

    async def test_of_an_answer_is_one_of_its_question(self, thread: Thread) -> None:
        await thread.ask("b", (await thread.message("to b")).id)
        assert len((await thread.message("b")).branches) == 2

    async def test_of_the_first_question_begins_anew(self, thread: Thread) -> None:
        await thread.ask("z", (await thread.message("a")).id)
        assert await thread.texts() == ["z", "to z"]
        assert await thread.told() == ["z"]

    async def test_goes_on_where_it_is(self, thread: Thread) -> None:
        await thread.ask("b2", (await thread.message("b")).id)
        await thread.ask("c2")
        assert await thread.texts() == ["a", "to a", "b2", "to b2", "c2", "to c2"]

    async def test_tells_the_model_what_was_before_it_and_no_more(self, thread: Thread) -> None:
        forked = (await thread.message("b")).id
        run_id = await thread.ask("b2", forked, answered=False)
        told = await thread.store.exchanges(thread.owner, thread.id, run_id, 10_000)
        assert [said for said, _ in told] == ["a"]

    async def test_of_a_branch_that_is_not_shown_leaves_from_there(self, thread: Thread) -> None:
        first = (await thread.message("b")).id
        await thread.ask("z", (await thread.message("a")).id)
        await thread.ask("b3", first)
        assert await thread.texts() == ["a", "to a", "b3", "to b3"]

    async def test_happens_once_for_a_run(self, thread: Thread) -> None:
        forked = (await thread.message("b")).id
        run_id = await thread.ask("b2", forked)
        await thread.store.begin(thread.owner, thread.id, run_id, "b2", forked)
        assert await thread.texts() == ["a", "to a", "b2", "to b2"]

    async def test_of_a_question_that_was_never_answered(self, thread: Thread) -> None:
        await thread.ask("c", answered=False)
        await thread.ask("c2", (await thread.message("c")).id)
        assert await thread.texts() == ["a", "to a", "b", "to b", "c2", "to c2"]

    async def test_counts_among_the_messages_of_the_thread(
        self, engine: AsyncEngine, alice: Principal
    ) -> None:
        small = ThreadStore(engine, max_messages=3)
        thread = Thread(small, alice, (await small.create(alice, "chat", "")).id)
        await thread.ask("a")
        await thread.ask("a2", (await thread.message("a")).id)
        with pytest.raises(Conflict):
            await thread.ask("a3", (await thread.message("a2")).id)
        assert await thread.texts() == ["a2", "to a2"]

    @pytest.mark.parametrize("message_id", [NOBODYS, "x", "' OR 1=1 --"])
    async def test_of_no_message_of_the_thread_is_not_found(self, thread: Thread, message_id: str) -> None:
        with pytest.raises(NotFound):
            await thread.ask("b2", message_id)
        with pytest.raises(NotFound):
            await thread.store.show(thread.owner, thread.id, message_id)
        with pytest.raises(NotFound):
            await thread.store.question(thread.owner, thread.id, message_id)
        assert await thread.texts() == ["a", "to a", "b", "to b"]

    async def test_of_another_thread_s_message_is_not_found(
        self, thread: Thread, store: ThreadStore, alice: Principal
    ) -> None:
        other = Thread(store, alice, (await store.create(alice, "chat", "")).id)
        with pytest.raises(NotFound):
            await other.ask("x", (await thread.message("b")).id)


class TestSwitch:
    async def test_shows_the_branch_of_a_message(self, thread: Thread) -> None:
        first = (await thread.message("b")).id
        await thread.ask("b2", first)
        await thread.ask("c2")
        second = (await thread.message("b2")).id
        await thread.store.show(thread.owner, thread.id, first)
        assert await thread.texts() == ["a", "to a", "b", "to b"]
        assert await thread.told() == ["a", "b"]
        await thread.store.show(thread.owner, thread.id, second)
        assert await thread.texts() == ["a", "to a", "b2", "to b2", "c2", "to c2"]

    async def test_tells_what_else_was_asked_there(self, thread: Thread) -> None:
        assert [message.branches for message in await thread.shown()] == [()] * 4
        first = (await thread.message("b")).id
        await thread.ask("b2", first)
        second = await thread.message("b2")
        await thread.ask("b3", second.id)
        third = await thread.message("b3")
        assert third.branches == (first, second.id, third.id)
        assert (await thread.message("a")).branches == ()
        assert (await thread.message("to b3")).branches == ()
        await thread.store.show(thread.owner, thread.id, first)
        assert (await thread.message("b")).branches == third.branches

    async def test_an_answer_that_comes_late_is_on_its_question_s_branch(self, thread: Thread) -> None:
        first = (await thread.message("b")).id
        late = await thread.ask("b2", first, answered=False)
        await thread.store.show(thread.owner, thread.id, first)
        await thread.answer(late, "to b2")
        assert await thread.texts() == ["a", "to a", "b", "to b"]
        branches = (await thread.message("b")).branches
        await thread.store.show(thread.owner, thread.id, branches[1])
        assert await thread.texts() == ["a", "to a", "b2", "to b2"]

    async def test_leaves_the_thread_s_place_in_the_list(self, thread: Thread) -> None:
        before = await thread.store.get(thread.owner, thread.id)
        assert await thread.store.show(thread.owner, thread.id, (await thread.message("b")).id) == before

    async def test_strangers_find_nothing(
        self, thread: Thread, store: ThreadStore, stranger: Principal
    ) -> None:
        forked = (await thread.message("b")).id
        for call in (
            store.show(stranger, thread.id, forked),
            store.question(stranger, thread.id, forked),
            store.begin(stranger, thread.id, "run", "mine", forked),
        ):
            with pytest.raises(NotFound):
                await call
        assert await thread.texts() == ["a", "to a", "b", "to b"]


class TestRowsOfEarlierReleases:
    """They have no parent: before each is the message with the position before its own."""

    async def test_branch_like_others(self, thread: Thread, engine: AsyncEngine) -> None:
        async with tenant_transaction(engine, thread.owner.tenant_id) as connection:
            await connection.execute(
                update(messages).where(messages.c.thread_id == thread.id).values(parent_id=None)
            )
        first = (await thread.message("b")).id
        await thread.ask("b2", first)
        assert await thread.texts() == ["a", "to a", "b2", "to b2"]
        await thread.store.show(thread.owner, thread.id, first)
        assert await thread.texts() == ["a", "to a", "b", "to b"]
        assert len((await thread.message("b")).branches) == 2

    async def test_that_are_written_during_a_rolling_update_are_shown(
        self, thread: Thread, engine: AsyncEngine
    ) -> None:
        async with tenant_transaction(engine, thread.owner.tenant_id) as connection:
            known = {"parent_id", "shown", "checkpoint_id"}
            columns = [column for column in messages.c if column.name not in known]
            row = (await connection.execute(select(*columns).where(messages.c.content == "to b"))).one()
            new = {**row._mapping, "id": NOBODYS, "position": 5, "run_id": "old", "content": "old"}
            await connection.execute(insert(messages), new)
        assert await thread.texts() == ["a", "to a", "b", "to b", "old"]


def place(number: int, parent: str | None, **fields: Any) -> Place:
    return Place(
        f"m{number}", parent, number, fields.get("run_id", f"r{number}"), fields.get("role", "human")
    )


class TestTree:
    def test_has_the_newest_of_what_follows(self) -> None:
        tree = Tree([place(1, BEGINNING), place(2, "m1"), place(3, "m1"), place(4, "m3")])
        assert tree.branch_of("m1") == ["m1", "m3", "m4"]
        assert tree.branch_of("m2") == ["m1", "m2"]

    def test_of_no_messages_is_none(self) -> None:
        assert Tree([]).question_of("m1") is None
