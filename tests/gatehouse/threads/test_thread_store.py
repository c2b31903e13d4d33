import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine
from thread_callers import principal

from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import BadRequest, Conflict, NotFound
from gatehouse.runs.events import Usage
from gatehouse.threads.models import Message, Thread, ToolCall
from gatehouse.threads.store import Answer, ThreadStore
from gatehouse.threads.tables import messages, threads

NOBODYS = "0198c0de-0000-7000-8000-000000000009"
BAD_IDS = [
    "", "x", "1", "None", "../etc", "\0", "' OR 1=1 --", "é" * 36, "0" * 36, "x" * 10_000,
    NOBODYS.upper(), NOBODYS.replace("-", ""), f"{{{NOBODYS}}}", f"{NOBODYS}\n", f"urn:uuid:{NOBODYS}",
]  # fmt: skip


def answer(run_id: str, text: str = "A loan to a company.", **changes: Any) -> Answer:
    whole: dict[str, Any] = {"attempt": 1, "tool_calls": (), "status": "complete", "usage": Usage(3, 4, 7)}
    return Answer(run_id, text=text, **{**whole, **changes})


async def all_messages(store: ThreadStore, owner: Principal, thread_id: str) -> list[Message]:
    found: list[Message] = []
    cursor = None
    while True:
        page = await store.messages(owner, thread_id, 3, cursor)
        found += page.items
        if (cursor := page.next_cursor) is None:
            return found


async def all_threads(store: ThreadStore, owner: Principal, limit: int) -> list[Thread]:
    found: list[Thread] = []
    cursor = None
    while True:
        page = await store.page(owner, limit, cursor)
        found += page.items
        if (cursor := page.next_cursor) is None:
            return found


async def rows(engine: AsyncEngine) -> tuple[int, int]:
    """Return how many threads and messages there are, of whomever."""
    async with engine.connect() as connection:
        of_threads = await connection.scalar(select(func.count()).select_from(threads))
        of_messages = await connection.scalar(select(func.count()).select_from(messages))
    return of_threads or 0, of_messages or 0


class TestCreate:
    async def test_returns_what_get_then_finds(self, store: ThreadStore, alice: Principal) -> None:
        before = datetime.now(UTC)
        thread = await store.create(alice, "chat", "Bonds")
        assert thread == await store.get(alice, thread.id)
        assert (thread.runnable, thread.title) == ("chat", "Bonds")
        assert before <= thread.created_at == thread.updated_at <= datetime.now(UTC)

    async def test_keeps_any_script(self, store: ThreadStore, alice: Principal) -> None:
        title = "¿Qué es un bono? 🏦👩‍👩‍👧 債券 سند"
        thread = await store.create(alice, "chat", title)
        assert (await store.get(alice, thread.id)).title == title

    async def test_replaces_nul_which_postgresql_refuses(self, store: ThreadStore, alice: Principal) -> None:
        thread = await store.create(alice, "chat", "a\0b")
        assert (await store.get(alice, thread.id)).title == "a\ufffdb"


class TestStrangers:
    """Another's thread is the same as one that does not exist."""

    @pytest.mark.parametrize("call", ["get", "rename", "delete", "messages", "begin"])
    @pytest.mark.parametrize("existing", [True, False])
    async def test_find_nothing(
        self, store: ThreadStore, alice: Principal, stranger: Principal, call: str, existing: bool
    ) -> None:
        thread = await store.create(alice, "chat", "Bonds")
        thread_id = thread.id if existing else NOBODYS
        with pytest.raises(NotFound) as error:
            await self.call(store, call, stranger, thread_id)
        assert error.value.detail == "There is no such thread."
        assert await store.get(alice, thread.id) == thread
        assert await all_messages(store, alice, thread.id) == []

    @pytest.mark.parametrize("call", ["get", "rename", "delete", "messages", "begin"])
    async def test_ids_that_are_none_are_not_found(
        self, store: ThreadStore, alice: Principal, call: str
    ) -> None:
        for thread_id in BAD_IDS:
            with pytest.raises(NotFound):
                await self.call(store, call, alice, thread_id)

    async def test_cannot_answer(self, store: ThreadStore, alice: Principal, stranger: Principal) -> None:
        thread = await store.create(alice, "chat", "Bonds")
        await store.begin(alice, thread.id, "r1", "What is a bond?")
        await store.answer(alice, thread.id, answer("r1"))
        await store.answer(stranger, thread.id, answer("r1", "Foreign", attempt=9))
        await store.answer(stranger, thread.id, answer("r2", "Foreign"))
        assert [message.content for message in await all_messages(store, alice, thread.id)] == [
            "What is a bond?",
            "A loan to a company.",
        ]

    async def test_read_no_exchanges(self, store: ThreadStore, alice: Principal, stranger: Principal) -> None:
        thread = await store.create(alice, "chat", "Bonds")
        await store.begin(alice, thread.id, "r1", "What is a bond?")
        await store.answer(alice, thread.id, answer("r1"))
        assert await store.exchanges(stranger, thread.id, "r2", 10_000) == []
        assert len(await store.exchanges(alice, thread.id, "r2", 10_000)) == 1

    async def test_of_two_tenants_at_once_do_not_mix(self, store: ThreadStore) -> None:
        owners = [principal(tenant, user) for tenant in ("acme", "beta") for user in ("alice", "bob")]

        async def converse(owner: Principal) -> str:
            thread = await store.create(owner, "chat", "")
            for number in range(5):
                run_id = f"{owner.credential_id}-{number}"
                await store.begin(owner, thread.id, run_id, f"I am {owner.credential_id}")
                await store.answer(owner, thread.id, answer(run_id, f"Hello {owner.credential_id}"))
            return thread.id

        ids = await asyncio.gather(*(converse(owner) for owner in owners))
        for owner, thread_id in zip(owners, ids, strict=True):
            assert [thread.id for thread in (await store.page(owner, 50)).items] == [thread_id]
            contents = [message.content for message in await all_messages(store, owner, thread_id)]
            assert contents == [f"I am {owner.credential_id}", f"Hello {owner.credential_id}"] * 5

    @staticmethod
    async def call(store: ThreadStore, call: str, caller: Principal, thread_id: str) -> object:
        more: dict[str, list[Any]] = {"rename": ["Mine"], "messages": [5], "begin": ["r1", "Hello"]}
        return await getattr(store, call)(caller, thread_id, *more.get(call, []))


class TestPage:
    async def test_of_nothing_is_empty(self, store: ThreadStore, alice: Principal) -> None:
        page = await store.page(alice, 10)
        assert (page.items, page.next_cursor) == ((), None)

    async def test_begins_with_the_newest(self, store: ThreadStore, alice: Principal) -> None:
        made = [await store.create(alice, "chat", str(number)) for number in range(3)]
        assert (await store.page(alice, 10)).items == tuple(reversed(made))

    async def test_a_message_moves_its_thread_to_the_front(
        self, store: ThreadStore, alice: Principal
    ) -> None:
        first = await store.create(alice, "chat", "first")
        await store.create(alice, "chat", "second")
        await store.begin(alice, first.id, "r1", "Hello")
        assert [thread.title for thread in (await store.page(alice, 10)).items] == ["first", "second"]

    @pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8])
    async def test_pages_hold_every_thread_once_though_their_times_are_equal(
        self, store: ThreadStore, unbound: AsyncEngine, alice: Principal, stranger: Principal, limit: int
    ) -> None:
        for number in range(7):
            await store.create(alice, "chat", str(number))
            await store.create(stranger, "chat", "foreign")
        moment = datetime(2026, 11, 21, 9, 30, 0, 123456, tzinfo=UTC)
        async with unbound.begin() as connection:
            await connection.execute(update(threads).values(updated_at=moment))
        found = await all_threads(store, alice, limit)
        assert sorted(thread.title for thread in found) == [str(number) for number in range(7)]
        assert [thread.id for thread in found] == sorted((thread.id for thread in found), reverse=True)

    async def test_has_a_next_page_only_when_there_is_more(
        self, store: ThreadStore, alice: Principal
    ) -> None:
        for number in range(2):
            await store.create(alice, "chat", str(number))
        assert (await store.page(alice, 1)).next_cursor is not None
        assert (await store.page(alice, 2)).next_cursor is None

    async def test_a_cursor_shows_nothing_of_its_owner_to_another(
        self, store: ThreadStore, alice: Principal, stranger: Principal
    ) -> None:
        for number in range(2):
            await store.create(alice, "chat", str(number))
        cursor = (await store.page(alice, 1)).next_cursor
        assert (await store.page(stranger, 10, cursor)).items == ()

    async def test_refuses_a_malformed_cursor(self, store: ThreadStore, alice: Principal) -> None:
        with pytest.raises(BadRequest):
            await store.page(alice, 10, "nonsense")


class TestRename:
    async def test_changes_the_title_only(self, store: ThreadStore, alice: Principal) -> None:
        thread = await store.create(alice, "chat", "Bonds")
        renamed = await store.rename(alice, thread.id, "Savings plan 🏦")
        assert renamed == thread.model_copy(update={"title": "Savings plan 🏦"})
        assert await store.get(alice, thread.id) == renamed


class TestDelete:
    async def test_erases_the_messages_and_returns_the_runs(
        self, store: ThreadStore, unbound: AsyncEngine, alice: Principal, stranger: Principal
    ) -> None:
        other = await store.create(stranger, "chat", "theirs")
        await store.begin(stranger, other.id, "theirs", "Hello")
        thread = await store.create(alice, "chat", "mine")
        for run_id in ("r2", "r1"):
            await store.begin(alice, thread.id, run_id, "Hello")
            await store.answer(alice, thread.id, answer(run_id))
        assert await store.delete(alice, thread.id) == ["r2", "r1"]
        assert await rows(unbound) == (1, 1)
        with pytest.raises(NotFound):
            await store.get(alice, thread.id)

    async def test_of_an_empty_thread_returns_no_run(self, store: ThreadStore, alice: Principal) -> None:
        assert await store.delete(alice, (await store.create(alice, "chat", "")).id) == []

    async def test_twice_is_not_found(self, store: ThreadStore, alice: Principal) -> None:
        thread = await store.create(alice, "chat", "")
        await store.delete(alice, thread.id)
        with pytest.raises(NotFound):
            await store.delete(alice, thread.id)

    async def test_while_a_run_goes_on_is_not_undone_by_its_answer(
        self, store: ThreadStore, unbound: AsyncEngine, alice: Principal
    ) -> None:
        thread = await store.create(alice, "chat", "")
        await store.begin(alice, thread.id, "r1", "Hello")
        await store.delete(alice, thread.id)
        await store.answer(alice, thread.id, answer("r1"))
        assert await rows(unbound) == (0, 0)

    async def test_raced_by_answers_leaves_nothing(
        self, store: ThreadStore, unbound: AsyncEngine, alice: Principal
    ) -> None:
        for number in range(10):
            thread = await store.create(alice, "chat", "")
            run_ids = [f"{number}-{turn}" for turn in range(4)]
            for run_id in run_ids:
                await store.begin(alice, thread.id, run_id, "Hello")
            answers = [store.answer(alice, thread.id, answer(run_id)) for run_id in run_ids]
            _, deleted, *_ = await asyncio.gather(answers[0], store.delete(alice, thread.id), *answers[1:])
            assert deleted == run_ids
        assert await rows(unbound) == (0, 0)


class TestBegin:
    async def test_stores_the_message(self, store: ThreadStore, alice: Principal) -> None:
        thread = await store.create(alice, "chat", "Bonds")
        text = "¿Qué es un bono? 🏦\n債券 سند"
        await store.begin(alice, thread.id, "r1", text)
        [message] = await all_messages(store, alice, thread.id)
        assert (message.role, message.run_id, message.content) == ("human", "r1", text)
        assert (message.status, message.usage, message.tool_calls) == (None, None, ())

    async def test_tells_that_the_thread_changed(self, store: ThreadStore, alice: Principal) -> None:
        thread = await store.create(alice, "chat", "Bonds")
        await store.begin(alice, thread.id, "r1", "Hello")
        touched = await store.get(alice, thread.id)
        assert touched.updated_at > thread.updated_at
        assert touched.created_at == thread.created_at

    async def test_gives_a_thread_without_title_one(self, store: ThreadStore, alice: Principal) -> None:
        thread = await store.create(alice, "chat", "")
        await store.begin(alice, thread.id, "r1", "What is\ta bond?\nTell me.")
        await store.begin(alice, thread.id, "r2", "And a share?")
        assert (await store.get(alice, thread.id)).title == "What is a bond?"

    async def test_leaves_a_title_that_was_given(self, store: ThreadStore, alice: Principal) -> None:
        thread = await store.create(alice, "chat", "Bonds")
        await store.begin(alice, thread.id, "r1", "Hello")
        assert (await store.get(alice, thread.id)).title == "Bonds"

    async def test_of_a_long_message_is_whole(self, store: ThreadStore, alice: Principal) -> None:
        thread = await store.create(alice, "chat", "")
        await store.begin(alice, thread.id, "r1", "word " * 20_000)
        [message] = await all_messages(store, alice, thread.id)
        assert message.content == "word " * 20_000
        assert len((await store.get(alice, thread.id)).title) <= 80

    async def test_can_be_repeated(self, store: ThreadStore, alice: Principal) -> None:
        thread = await store.create(alice, "chat", "")
        for _ in range(2):
            await store.begin(alice, thread.id, "r1", "Hello")
        assert len(await all_messages(store, alice, thread.id)) == 1

    async def test_at_once_from_many_is_stored_once_each(self, store: ThreadStore, alice: Principal) -> None:
        thread = await store.create(alice, "chat", "")
        begun = [store.begin(alice, thread.id, f"r{number % 5}", f"{number % 5}") for number in range(15)]
        await asyncio.gather(*begun)
        found = await all_messages(store, alice, thread.id)
        assert sorted(message.content for message in found) == ["0", "1", "2", "3", "4"]

    @pytest.mark.parametrize("most", [3, 4])
    async def test_is_refused_by_a_full_thread(
        self, engine: AsyncEngine, alice: Principal, most: int
    ) -> None:
        store = ThreadStore(engine, max_messages=most)
        thread = await store.create(alice, "chat", "")
        for run_id in ("r1", "r2"):
            await store.begin(alice, thread.id, run_id, "Hello")
            await store.answer(alice, thread.id, answer(run_id))
        before = await store.get(alice, thread.id)
        with pytest.raises(Conflict, match="4 messages"):
            await store.begin(alice, thread.id, "r3", "Hello")
        assert await store.get(alice, thread.id) == before
        await store.begin(alice, thread.id, "r2", "Hello")
        assert len(await all_messages(store, alice, thread.id)) == 4


class TestUnsay:
    """The run of the message could not be started."""

    async def test_erases_the_thread_that_began_with_it(
        self, store: ThreadStore, unbound: AsyncEngine, alice: Principal
    ) -> None:
        await store.open(alice, NOBODYS, "chat", "r1", "Hello")
        await store.unsay(alice, NOBODYS, "r1", with_thread=True)
        assert await rows(unbound) == (0, 0)

    async def test_leaves_the_thread_in_which_more_was_said(
        self, store: ThreadStore, alice: Principal
    ) -> None:
        await store.open(alice, NOBODYS, "chat", "r1", "Hello")
        await store.begin(alice, NOBODYS, "r2", "And again")
        await store.unsay(alice, NOBODYS, "r1", with_thread=True)
        assert [message.content for message in await all_messages(store, alice, NOBODYS)] == ["And again"]

    async def test_leaves_a_thread_that_was_there_before(self, store: ThreadStore, alice: Principal) -> None:
        thread = await store.create(alice, "chat", "Bonds")
        await store.begin(alice, thread.id, "r1", "Hello")
        await store.unsay(alice, thread.id, "r1", with_thread=False)
        assert await all_messages(store, alice, thread.id) == []

    async def test_by_a_stranger_erases_nothing(
        self, store: ThreadStore, unbound: AsyncEngine, alice: Principal, stranger: Principal
    ) -> None:
        await store.open(alice, NOBODYS, "chat", "r1", "Hello")
        await store.unsay(stranger, NOBODYS, "r1", with_thread=True)
        assert await rows(unbound) == (1, 1)


class TestAnswer:
    async def test_comes_back_as_it_went_in(self, store: ThreadStore, alice: Principal) -> None:
        thread = await store.create(alice, "chat", "")
        await store.begin(alice, thread.id, "r1", "What do I hold?")
        call = ToolCall(
            tool="list_holdings", call_id="c1", input={"limit": 5, "names": ["é"]}, output='{"a": "\\u0000"}'
        )
        given = answer("r1", "Tú tienes 🏦", tool_calls=(call,), status="partial", usage=Usage(10, 20, 30))
        await store.answer(alice, thread.id, given)
        _, message = await all_messages(store, alice, thread.id)
        assert (message.role, message.run_id, message.content) == ("ai", "r1", "Tú tienes 🏦")
        assert (message.tool_calls, message.status, message.usage) == ((call,), "partial", Usage(10, 20, 30))

    async def test_of_tools_that_return_nul_is_stored(self, store: ThreadStore, alice: Principal) -> None:
        thread = await store.create(alice, "chat", "")
        call = ToolCall(tool="read\0", call_id="c1", input={"a\0": "\0"}, output="\0")
        await store.answer(alice, thread.id, answer("r1", "a\0b", tool_calls=(call,)))
        [message] = await all_messages(store, alice, thread.id)
        assert (message.content, message.tool_calls) == ("a\ufffdb", (call,))

    async def test_of_a_later_attempt_replaces_it(self, store: ThreadStore, alice: Principal) -> None:
        thread = await store.create(alice, "chat", "")
        await store.answer(alice, thread.id, answer("r1", "half", status="failed"))
        [first] = await all_messages(store, alice, thread.id)
        await store.answer(alice, thread.id, answer("r1", "whole", attempt=2))
        [second] = await all_messages(store, alice, thread.id)
        assert (second.content, second.status) == ("whole", "complete")
        assert second.id == first.id

    async def test_that_its_own_attempt_corrects_is_the_last(
        self, store: ThreadStore, alice: Principal
    ) -> None:
        thread = await store.create(alice, "chat", "")
        await store.answer(alice, thread.id, answer("r1", "whole"))
        await store.answer(alice, thread.id, answer("r1", "cut", status="failed"))
        [message] = await all_messages(store, alice, thread.id)
        assert (message.content, message.status) == ("cut", "failed")

    async def test_of_an_earlier_attempt_comes_too_late(self, store: ThreadStore, alice: Principal) -> None:
        thread = await store.create(alice, "chat", "")
        await store.answer(alice, thread.id, answer("r1", "whole", attempt=2))
        await store.answer(alice, thread.id, answer("r1", "half", attempt=1))
        assert [message.content for message in await all_messages(store, alice, thread.id)] == ["whole"]


class TestMessages:
    async def test_come_in_the_order_in_which_they_were_stored(
        self, store: ThreadStore, unbound: AsyncEngine, alice: Principal
    ) -> None:
        thread = await store.create(alice, "chat", "")
        for number in range(4):
            await store.begin(alice, thread.id, f"r{number}", f"question {number}")
            await store.answer(alice, thread.id, answer(f"r{number}", f"answer {number}"))
        async with unbound.begin() as connection:  # a replica's clock may be wrong
            await connection.execute(
                update(messages)
                .where(messages.c.role == "ai")
                .values(created_at=datetime.now(UTC) - timedelta(days=1))
            )
        assert [message.content for message in await all_messages(store, alice, thread.id)] == [
            f"{kind} {number}" for number in range(4) for kind in ("question", "answer")
        ]

    async def test_refuse_a_cursor_of_another_list(self, store: ThreadStore, alice: Principal) -> None:
        for _ in range(2):
            thread = await store.create(alice, "chat", "")
        cursor = (await store.page(alice, 1)).next_cursor
        with pytest.raises(BadRequest):
            await store.messages(alice, thread.id, 10, cursor)


class TestExchanges:
    async def test_are_read_only_as_far_as_they_are_used(self, store: ThreadStore, alice: Principal) -> None:
        thread = await store.create(alice, "chat", "")
        for number in range(3):
            await store.begin(alice, thread.id, f"r{number}", f"ask {number}")
            await store.answer(alice, thread.id, answer(f"r{number}", f"say {number}"))
        newest = [("ask 1", "say 1"), ("ask 2", "say 2")]
        assert await store.exchanges(alice, thread.id, "r3", 20) == newest
        assert await store.exchanges(alice, thread.id, "r3", 19) == newest[1:]

    async def test_leave_out_what_has_no_answer_in_words(self, store: ThreadStore, alice: Principal) -> None:
        thread = await store.create(alice, "chat", "")
        for number, text in enumerate(("", "A loan.")):
            await store.begin(alice, thread.id, f"r{number}", f"ask {number}")
            await store.answer(alice, thread.id, answer(f"r{number}", text))
        await store.begin(alice, thread.id, "r2", "ask 2")
        assert await store.exchanges(alice, thread.id, "r3", 10_000) == [("ask 1", "A loan.")]

    async def test_and_messages_leave_out_a_row_of_another_that_lies_in_the_thread(
        self, store: ThreadStore, unbound: AsyncEngine, alice: Principal, stranger: Principal
    ) -> None:
        thread = await store.create(alice, "chat", "")
        await store.begin(alice, thread.id, "r1", "What is a bond?")
        await store.answer(alice, thread.id, answer("r1"))
        theirs = {"tenant_id": stranger.tenant_id, "user_id": stranger.user_id}
        async with unbound.begin() as connection:
            await connection.execute(update(messages).where(messages.c.role == "ai").values(theirs))
        assert await store.exchanges(alice, thread.id, "r2", 10_000) == []
        assert [message.role for message in await all_messages(store, alice, thread.id)] == ["human"]


class TestConnections:
    async def test_are_given_back_by_every_call(
        self, store: ThreadStore, engine: AsyncEngine, alice: Principal
    ) -> None:
        thread = await store.create(alice, "chat", "")
        await store.begin(alice, thread.id, "r1", "Hello")
        await store.answer(alice, thread.id, answer("r1"))
        await store.messages(alice, thread.id, 10)
        await store.exchanges(alice, thread.id, "r2", 100)
        await store.page(alice, 10)
        await store.delete(alice, thread.id)
        assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
