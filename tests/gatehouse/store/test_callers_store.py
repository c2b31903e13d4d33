"""LangGraph's store over our database: what it answers, whose items they are, and how much it takes."""

import asyncio
from typing import Any

import pytest
from called_runnable import Work, for_caller
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import ToolException
from langgraph.store.base import BaseStore, Item, SearchItem
from langgraph.store.memory import InMemoryStore
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.store.items import MOST_ITEMS, CallersStore, NoRoom


@pytest.fixture
async def store(engine: AsyncEngine) -> CallersStore:
    return CallersStore(engine)


async def fill(store: BaseStore) -> None:
    await store.aput(("notes", "food"), "tea", {"text": "likes tea", "rank": 3})
    await store.aput(("notes", "food"), "rice", {"text": "likes rice", "rank": 1})
    await store.aput(("notes",), "name", {"text": "is called Al", "rank": 2})
    await store.aput(("notesandmore",), "x", {"text": "another", "rank": 9})
    await store.aput(("notes", "food"), "tea", {"text": "likes green tea", "rank": 4})


def known(items: list[SearchItem]) -> set[tuple[Any, ...]]:
    return {(item.namespace, item.key, item.value["text"]) for item in items}


ASKED: dict[str, Work] = {
    "all below a namespace": lambda store: store.asearch(("notes",), limit=50),
    "all": lambda store: store.asearch((), limit=50),
    "none": lambda store: store.asearch(("nothing",)),
    "a value's field": lambda store: store.asearch(("notes",), filter={"text": "likes rice"}),
    "more than": lambda store: store.asearch((), filter={"rank": {"$gte": 3}}),
}


class TestAnswers:
    @pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
    async def test_are_those_of_langgraph_s_own(self, store: CallersStore, ask: Work) -> None:
        own = InMemoryStore()
        for one in (store, own):
            await for_caller(one, fill)
        assert known(await for_caller(store, ask)) == known(await for_caller(own, ask))

    async def test_have_their_times_and_the_last_value(self, store: CallersStore) -> None:
        await for_caller(store, fill)
        item = await for_caller(store, lambda store: store.aget(("notes", "food"), "tea"))
        assert item.value == {"text": "likes green tea", "rank": 4}
        assert item.created_at < item.updated_at
        assert await for_caller(store, lambda store: store.aget(("notes",), "tea")) is None

    async def test_come_in_pages_the_newest_first(self, store: CallersStore) -> None:
        await for_caller(store, fill)

        async def pages(store: BaseStore) -> list[list[str]]:
            found = [await store.asearch(("notes",), limit=2, offset=at) for at in (0, 2)]
            return [[item.key for item in page] for page in found]

        assert await for_caller(store, pages) == [["tea", "name"], ["rice"]]

    async def test_name_the_namespaces(self, store: CallersStore) -> None:
        await for_caller(store, fill)
        named = await for_caller(store, lambda store: store.alist_namespaces(prefix=("notes",), max_depth=1))
        assert set(named) == {("notes",)}

    async def test_are_none_of_what_was_deleted(self, store: CallersStore) -> None:
        await for_caller(store, fill)
        await for_caller(store, lambda store: store.adelete(("notes",), "name"))
        assert await for_caller(store, lambda store: store.aget(("notes",), "name")) is None

    async def test_come_to_another_thread_and_to_no_event_loop(self, store: CallersStore) -> None:
        await for_caller(store, fill)
        who: Any = {"configurable": {"tenant_id": "acme", "user_id": "alice"}}
        read: RunnableLambda[None, Item | None] = RunnableLambda(lambda _: store.get(("notes",), "name"))
        item = await asyncio.to_thread(read.invoke, None, who)
        assert item
        assert item.value["text"] == "is called Al"
        with pytest.raises(RuntimeError, match="await store.aget"):
            store.get(("notes",), "name")


class TestOwners:
    @pytest.mark.parametrize("other", [("acme", "bob"), ("beta", "alice")])
    async def test_see_change_and_delete_their_own_alone(
        self, store: CallersStore, other: tuple[str, str]
    ) -> None:
        await for_caller(store, fill)
        for work in (
            lambda store: store.asearch(()),
            lambda store: store.alist_namespaces(),
            lambda store: store.aget(("notes",), "name"),
        ):
            assert not await for_caller(store, work, *other)
        await for_caller(store, lambda store: store.aput(("notes",), "name", {"text": "mine"}), *other)
        await for_caller(store, lambda store: store.adelete(("notes", "food"), "tea"), *other)
        item = await for_caller(store, lambda store: store.aget(("notes",), "name"))
        assert item.value["text"] == "is called Al"
        assert await for_caller(store, lambda store: store.aget(("notes", "food"), "tea"))

    async def test_are_never_nobody(self, store: CallersStore) -> None:
        with pytest.raises(ToolException):
            await store.aget(("notes",), "name")


class TestBounds:
    @pytest.mark.parametrize(
        ("namespace", "key", "value"),
        [
            (("n" * 1_000,), "k", {}),
            (("n",), "k" * 501, {}),
            (("n",), "\N{EURO SIGN}" * 167, {}),
            (("n",), "k", {"text": "v" * 16_384}),
        ],
    )
    async def test_refuse_what_is_too_large(
        self, store: CallersStore, namespace: tuple[str, ...], key: str, value: dict[str, Any]
    ) -> None:
        with pytest.raises(NoRoom, match="bytes at most"):
            await for_caller(store, lambda store: store.aput(namespace, key, value))
        assert await for_caller(store, lambda store: store.asearch(())) == []

    async def test_refuse_one_too_many_and_still_change_what_is_there(self, store: CallersStore) -> None:
        async def many(store: BaseStore) -> None:
            for number in range(MOST_ITEMS):
                await store.aput(("n",), str(number), {})

        await for_caller(store, many)
        with pytest.raises(NoRoom, match="delete some"):
            await for_caller(store, lambda store: store.aput(("n",), "another", {}))
        await for_caller(store, lambda store: store.aput(("n",), "7", {"changed": True}))
        await for_caller(store, lambda store: store.aput(("n",), "another", {}), "acme", "bob")

    async def test_take_any_text_and_number(self, store: CallersStore) -> None:
        odd = {"text": "half \ud83d of one", "number": 2**70, "none": float("nan"), "zero": "a\0b"}
        await for_caller(store, lambda store: store.aput(("n",), "k\0", odd))
        [item] = await for_caller(store, lambda store: store.asearch(()))
        assert (item.value["number"], item.value["none"]) == (2**70, None)
