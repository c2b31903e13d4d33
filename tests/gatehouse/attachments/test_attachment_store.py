"""Attachments in the database: whose they are, how many, and for how long."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.attachments.purge import purge
from gatehouse.attachments.store import Attachment, AttachmentStore, Bounds, plain_name
from gatehouse.attachments.tables import attachments
from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import Conflict, NotFound, UnsupportedMediaType
from gatehouse.storage.tenancy import tenant_transaction
from gatehouse.threads.store import ThreadStore

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
NOBODYS = "0198c0de-0000-7000-8000-000000000009"


def store_of(engine: AsyncEngine, files: int = 5, bytes_in_all: int = 10_000) -> AttachmentStore:
    return AttachmentStore(engine, Bounds(files, bytes_in_all, timedelta(hours=24)))


@pytest.fixture
def store(engine: AsyncEngine) -> AttachmentStore:
    return store_of(engine)


async def age(engine: AsyncEngine, owner: Principal, attachment: Attachment) -> None:
    """Let a file's time be over."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    async with tenant_transaction(engine, owner.tenant_id) as connection:
        this = update(attachments).where(attachments.c.id == attachment.id)
        await connection.execute(this.values(expires_at=past))


class TestKeep:
    async def test_is_resolved_to_its_bytes_and_its_type_by_content(
        self, store: AttachmentStore, alice: Principal
    ) -> None:
        kept = await store.keep(alice, "notes.txt", PNG)
        assert (kept.name, kept.media_type, kept.size) == ("notes.txt", "image/png", len(PNG))
        assert await store.resolve(kept.id, alice) == (PNG, "image/png")
        assert await store.get(alice, kept.id) == kept
        assert await store.list(alice) == [kept]

    @pytest.mark.parametrize("content", [b"", b"MZ\x90\x00", b"PK\x03\x04\x00"])
    async def test_refuses_what_no_model_is_shown(
        self, store: AttachmentStore, alice: Principal, content: bytes
    ) -> None:
        with pytest.raises(UnsupportedMediaType):
            await store.keep(alice, "a.png", content)
        assert await store.list(alice) == []

    async def test_has_a_limit_of_files(self, engine: AsyncEngine, alice: Principal) -> None:
        store = store_of(engine, files=2)
        first = await store.keep(alice, "a", b"a")
        await store.keep(alice, "b", b"b")
        with pytest.raises(Conflict, match="2 attachments"):
            await store.keep(alice, "c", b"c")
        await store.delete(alice, first.id)
        await store.keep(alice, "c", b"c")

    async def test_has_a_limit_of_bytes(self, engine: AsyncEngine, alice: Principal) -> None:
        store = store_of(engine, bytes_in_all=10)
        await store.keep(alice, "a", b"12345")
        with pytest.raises(Conflict, match="5 bytes"):
            await store.keep(alice, "b", b"123456")
        await store.keep(alice, "b", b"12345")

    async def test_of_many_at_once_passes_no_limit(self, engine: AsyncEngine, alice: Principal) -> None:
        store = store_of(engine, files=3)
        kept = await asyncio.gather(
            *(store.keep(alice, f"f{number}", b"x") for number in range(8)), return_exceptions=True
        )
        assert sum(isinstance(one, Attachment) for one in kept) == len(await store.list(alice)) == 3

    async def test_one_user_s_limit_is_not_another_s(
        self, engine: AsyncEngine, alice: Principal, stranger: Principal
    ) -> None:
        store = store_of(engine, files=1)
        await store.keep(alice, "a", b"a")
        await store.keep(stranger, "a", b"a")


class TestStrangers:
    @pytest.mark.parametrize("existing", [True, False])
    async def test_find_nothing(
        self, store: AttachmentStore, alice: Principal, stranger: Principal, existing: bool
    ) -> None:
        mine = await store.keep(alice, "a", b"a")
        attachment_id = mine.id if existing else NOBODYS
        calls: list[Any] = [
            store.get(stranger, attachment_id),
            store.resolve(attachment_id, stranger),
            store.delete(stranger, attachment_id),
            store.bind(stranger, [attachment_id], NOBODYS),
        ]
        for call in calls:
            with pytest.raises(NotFound):
                await call
        assert await store.list(stranger) == []
        assert await store.get(alice, mine.id) == mine

    @pytest.mark.parametrize("bad", ["", "x", "\0", "' OR 1=1 --", "é" * 10_000])
    async def test_an_id_that_is_none_is_not_found(
        self, store: AttachmentStore, alice: Principal, bad: str
    ) -> None:
        with pytest.raises(NotFound):
            await store.get(alice, bad)


class TestExpiry:
    async def test_is_after_a_day_and_then_it_is_not_there(
        self, store: AttachmentStore, engine: AsyncEngine, alice: Principal
    ) -> None:
        kept = await store.keep(alice, "a", b"a")
        assert kept.expires_at == kept.created_at + timedelta(hours=24)
        await age(engine, alice, kept)
        with pytest.raises(NotFound):
            await store.resolve(kept.id, alice)
        assert await store.list(alice) == []

    async def test_the_purge_erases_what_has_expired_of_every_tenant(
        self, store: AttachmentStore, engine: AsyncEngine, alice: Principal, stranger: Principal
    ) -> None:
        old = [(owner, await store.keep(owner, "old", b"old")) for owner in (alice, stranger)]
        new = await store.keep(alice, "new", b"new")
        for owner, attachment in old:
            await age(engine, owner, attachment)
        assert await purge(engine) == 2
        assert await purge(engine) == 0
        assert await store.list(alice) == [new]


class TestBind:
    async def test_a_file_stays_as_long_as_its_thread(
        self, store: AttachmentStore, engine: AsyncEngine, alice: Principal
    ) -> None:
        threads = ThreadStore(engine)
        thread = await threads.create(alice, "chat", "")
        kept = await store.keep(alice, "a", b"a")
        for _ in range(2):
            await store.bind(alice, [kept.id, kept.id], thread.id)
        bound = await store.get(alice, kept.id)
        assert (bound.thread_id, bound.expires_at) == (thread.id, None)
        await threads.delete(alice, thread.id)
        with pytest.raises(NotFound):
            await store.get(alice, kept.id)

    async def test_is_all_or_nothing(
        self, store: AttachmentStore, engine: AsyncEngine, alice: Principal
    ) -> None:
        thread = await ThreadStore(engine).create(alice, "chat", "")
        kept = await store.keep(alice, "a", b"a")
        with pytest.raises(NotFound):
            await store.bind(alice, [kept.id, NOBODYS], thread.id)
        assert (await store.get(alice, kept.id)).thread_id is None

    async def test_one_thread_s_file_is_no_other_s(
        self, store: AttachmentStore, engine: AsyncEngine, alice: Principal
    ) -> None:
        first, second = [await ThreadStore(engine).create(alice, "chat", "") for _ in range(2)]
        kept = await store.keep(alice, "a", b"a")
        await store.bind(alice, [kept.id], first.id)
        with pytest.raises(NotFound):
            await store.bind(alice, [kept.id], second.id)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("chart.png", "chart.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\alice\\a.pdf", "a.pdf"),
        ("a\r\nset-cookie: x.png", "aset-cookie: x.png"),
        ("債券 🙂.txt", "債券 🙂.txt"),
        ("", "file"),
        ("\0\x1b", "file"),
        ("x" * 300, "x" * 255),
    ],
)
def test_a_name_is_the_last_of_a_path_and_printable(given: str, kept: str) -> None:
    assert plain_name(given) == kept
