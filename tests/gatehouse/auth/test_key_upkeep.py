"""Last use and new hashes are written in batches, off the request path."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.auth.api_keys import upkeep as key_upkeep
from gatehouse.auth.api_keys.store import ApiKeys
from gatehouse.auth.api_keys.tables import api_keys
from gatehouse.problems.errors import InvalidCredential

ALICE: dict[str, Any] = {"tenant_id": "acme", "user_id": "alice"}
BOB: dict[str, Any] = {"tenant_id": "beta", "user_id": "bob"}


async def last_use(engine: AsyncEngine, key_id: str) -> Any:
    async with engine.connect() as connection:
        return await connection.scalar(select(api_keys.c.last_used_at).where(api_keys.c.id == key_id))


async def set_last_use(engine: AsyncEngine, key_id: str, moment: datetime) -> None:
    async with engine.begin() as connection:
        await connection.execute(update(api_keys).where(api_keys.c.id == key_id).values(last_used_at=moment))


class TestLastUse:
    async def test_is_not_written_by_the_request(self, keys: ApiKeys, engine: AsyncEngine) -> None:
        created = await keys.create(**ALICE)
        await keys.verify(created.key)
        assert await last_use(engine, created.record.id) is None

    async def test_of_keys_of_several_tenants_is_written_at_once(
        self, keys: ApiKeys, engine: AsyncEngine
    ) -> None:
        made = [await keys.create(**owner) for owner in (ALICE, BOB, ALICE)]
        before = datetime.now(UTC)
        for created in made:
            await keys.verify(created.key)
        await keys.upkeep.write()
        for created in made:
            assert before <= await last_use(engine, created.record.id) <= datetime.now(UTC)

    async def test_is_noted_once_a_minute(
        self, keys: ApiKeys, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        created = await keys.create(**ALICE)
        await keys.verify(created.key)
        await keys.upkeep.write()
        first = await last_use(engine, created.record.id)
        await keys.verify(created.key)
        await keys.upkeep.write()
        assert await last_use(engine, created.record.id) == first
        monkeypatch.setattr(key_upkeep, "USE_NOTED_EVERY", timedelta())
        await keys.verify(created.key)
        await keys.upkeep.write()
        assert await last_use(engine, created.record.id) > first

    async def test_never_goes_back(self, keys: ApiKeys, engine: AsyncEngine) -> None:
        created = await keys.create(**ALICE)
        await keys.verify(created.key)
        later = datetime.now(UTC) + timedelta(seconds=30)  # another replica wrote it meanwhile
        await set_last_use(engine, created.record.id, later)
        await keys.upkeep.write()
        assert await last_use(engine, created.record.id) == later

    async def test_of_a_refused_key_is_not_noted(self, keys: ApiKeys, engine: AsyncEngine) -> None:
        created = await keys.create(**ALICE)
        await keys.revoke(created.record.id)
        with pytest.raises(InvalidCredential):
            await keys.verify(created.key)
        await keys.upkeep.write()
        assert await last_use(engine, created.record.id) is None

    async def test_that_cannot_be_written_is_written_after_the_next_use(
        self, keys: ApiKeys, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        created = await keys.create(**ALICE)
        async with engine.begin() as connection:
            await connection.exec_driver_sql(
                "CREATE TRIGGER full BEFORE UPDATE ON api_keys BEGIN SELECT RAISE(ABORT, 'disk full'); END"
            )
        await keys.verify(created.key)
        await keys.upkeep.write()
        async with engine.begin() as connection:
            await connection.exec_driver_sql("DROP TRIGGER full")
        monkeypatch.setattr(key_upkeep, "USE_NOTED_EVERY", timedelta())
        await keys.verify(created.key)
        await keys.upkeep.write()
        assert await last_use(engine, created.record.id) is not None


class TestNewHash:
    async def test_replaces_the_one_that_was_verified_and_no_other(
        self, keys: ApiKeys, engine: AsyncEngine
    ) -> None:
        created = await keys.create(**ALICE)
        for version, stored in ((3, 3), (2, 3)):  # as two replicas would that verified version 1
            keys.upkeep.rehash(created.record, bytes(32), version)
            await keys.upkeep.write()
            assert (await keys.get(created.record.id)).pepper_version == stored


class TestGoingOn:
    async def test_writes_again_and_again(
        self, keys: ApiKeys, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(key_upkeep, "WRITE_EVERY", 0.01)
        async with keys.upkeep.going_on(), asyncio.timeout(10):
            for owner in (ALICE, BOB):
                created = await keys.create(**owner)
                await keys.verify(created.key)
                while await last_use(engine, created.record.id) is None:
                    await asyncio.sleep(0.01)

    async def test_writes_what_is_left_when_it_ends(self, keys: ApiKeys, engine: AsyncEngine) -> None:
        created = await keys.create(**ALICE)
        async with keys.upkeep.going_on():
            await keys.verify(created.key)
        assert await last_use(engine, created.record.id) is not None
