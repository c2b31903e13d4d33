import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from auth_settings import PEPPER, MakeSettings
from sqlalchemy import event, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.auth.api_keys import store as module
from gatehouse.auth.api_keys.format import KeyText
from gatehouse.auth.api_keys.peppers import Peppers
from gatehouse.auth.api_keys.store import ApiKeys
from gatehouse.auth.api_keys.tables import api_keys
from gatehouse.identity import recent
from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import InvalidCredential, NotFound

ALICE: dict[str, Any] = {"tenant_id": "acme", "user_id": "alice"}


def now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def statements(engine: AsyncEngine) -> Iterator[list[str]]:
    """Collect the SQL that is sent meanwhile."""
    sent: list[str] = []

    def collect(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement.split(maxsplit=1)[0])

    event.listen(engine.sync_engine, "before_cursor_execute", collect)
    yield sent
    event.remove(engine.sync_engine, "before_cursor_execute", collect)


async def row_of(engine: AsyncEngine, key_id: str) -> Any:
    async with engine.connect() as connection:
        return (await connection.execute(select(api_keys).where(api_keys.c.id == key_id))).one()


async def change(engine: AsyncEngine, key_id: str, **columns: Any) -> None:
    async with engine.begin() as connection:
        await connection.execute(update(api_keys).where(api_keys.c.id == key_id).values(**columns))


@pytest.fixture
def replica(engine: AsyncEngine) -> ApiKeys:
    return ApiKeys(engine, Peppers.parse(PEPPER), "dev")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic time, in seconds, as its only item."""
    time = [100.0]
    monkeypatch.setattr(recent, "monotonic", lambda: time[0])
    monkeypatch.setattr(module, "monotonic", lambda: time[0])
    return time


class TestCreate:
    async def test_gives_a_key_that_stands_for_its_user(self, keys: ApiKeys) -> None:
        ends = now() + timedelta(days=30)
        created = await keys.create(
            **ALICE,
            name="ci",
            scopes=["b", "a", "a"],
            expires_at=ends,
            plan="pro",
            claims={"portfolio_id": "p"},
        )
        assert await keys.verify(created.key) == Principal(
            tenant_id="acme",
            user_id="alice",
            name="ci",
            scopes=frozenset({"a", "b"}),
            credential="api_key",
            credential_id=created.record.id,
            expires_at=ends.timestamp(),
            plan="pro",
            claims={"portfolio_id": "p"},
        )

    async def test_keeps_no_secret(self, keys: ApiKeys, engine: AsyncEngine) -> None:
        created = await keys.create(**ALICE)
        row = await row_of(engine, created.record.id)
        secret = KeyText.parse(created.key).secret  # type: ignore[union-attr]
        assert len(row.secret_hash) == 32
        assert secret not in repr(tuple(row))
        assert secret not in repr(created)

    @pytest.mark.parametrize(
        "wrong", [{"tenant_id": ""}, {"user_id": "a\nb"}, {"user_id": "a" * 256}, {"name": "\x00"}]
    )
    async def test_refuses_names_that_name_nobody(self, keys: ApiKeys, wrong: dict[str, str]) -> None:
        with pytest.raises(ValueError, match="printable"):
            await keys.create(**{**ALICE, **wrong})
        assert await keys.list() == ()


class TestVerify:
    async def test_refuses_garbage_without_the_database(self, keys: ApiKeys, engine: AsyncEngine) -> None:
        created = await keys.create(**ALICE)
        swapped = created.key[:-1] + ("a" if created.key[-1] != "a" else "b")
        with statements(engine) as sent:
            for text in ("", "gh_dev_x", swapped, KeyText.new("live").text, "é" * 60):
                with pytest.raises(InvalidCredential):
                    await keys.verify(text)
        assert sent == []

    async def test_refuses_an_unknown_id_and_a_wrong_secret_at_the_same_cost(
        self, keys: ApiKeys, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        created = await keys.create(**ALICE)
        await keys.verify(created.key)
        compared: list[int] = []
        monkeypatch.setattr(Peppers, "hash", counted(Peppers.hash, compared))
        unknown = KeyText.new("dev").text
        wrong = KeyText("dev", created.record.id, "x" * 32).text
        costs = []
        for text in (unknown, wrong):
            with statements(engine) as sent, pytest.raises(InvalidCredential):
                await keys.verify(text)
            costs.append((sent, len(compared)))
            compared.clear()
        assert costs == [(["SELECT"], 1), (["SELECT"], 1)]

    async def test_refuses_a_key_past_its_expiry(self, keys: ApiKeys) -> None:
        created = await keys.create(**ALICE, expires_at=now() - timedelta(seconds=1))
        with pytest.raises(InvalidCredential):
            await keys.verify(created.key)

    async def test_refuses_a_key_that_expires_while_it_is_remembered(self, keys: ApiKeys) -> None:
        created = await keys.create(**ALICE, expires_at=now() + timedelta(seconds=0.3))
        await keys.verify(created.key)
        await asyncio.sleep(0.35)
        with pytest.raises(InvalidCredential):
            await keys.verify(created.key)

    async def test_of_another_environment_is_refused(self, keys: ApiKeys, engine: AsyncEngine) -> None:
        live = ApiKeys(engine, Peppers.parse(PEPPER), "live")
        created = await live.create(**ALICE)
        assert created.key.startswith("gh_live_")
        await live.verify(created.key)
        with pytest.raises(InvalidCredential):
            await keys.verify(created.key)

    async def test_asks_the_database_once_in_4_seconds(
        self, keys: ApiKeys, engine: AsyncEngine, clock: list[float]
    ) -> None:
        created = await keys.create(**ALICE)
        await keys.verify(created.key)
        with statements(engine) as sent:
            await keys.verify(created.key)
            assert sent == []
            clock[0] += 4
            await keys.verify(created.key)
        assert sent == ["SELECT"]


class TestPepperRotation:
    async def test_keeps_old_keys_working_and_hashes_new_ones_with_the_new(
        self, keys: ApiKeys, engine: AsyncEngine
    ) -> None:
        old = await keys.create(**ALICE)
        rotated = ApiKeys(engine, Peppers.parse(f"2:{'n' * 32},1:{PEPPER}"), "dev")
        new = await rotated.create(**ALICE)
        assert (await rotated.verify(old.key)).credential_id == old.record.id
        assert (await rotated.verify(new.key)).credential_id == new.record.id
        assert new.record.pepper_version == 2

    async def test_hashes_a_key_anew_when_it_is_used(self, keys: ApiKeys, engine: AsyncEngine) -> None:
        old = await keys.create(**ALICE)
        both = ApiKeys(engine, Peppers.parse(f"2:{'n' * 32},1:{PEPPER}"), "dev")
        await both.verify(old.key)
        await both.upkeep.write()
        only_new = ApiKeys(engine, Peppers.parse(f"2:{'n' * 32}"), "dev")
        assert (await only_new.verify(old.key)).credential_id == old.record.id
        assert (await row_of(engine, old.record.id)).pepper_version == 2

    async def test_does_not_hash_anew_what_was_refused(self, keys: ApiKeys, engine: AsyncEngine) -> None:
        old = await keys.create(**ALICE)
        both = ApiKeys(engine, Peppers.parse(f"2:{'n' * 32},1:{PEPPER}"), "dev")
        with pytest.raises(InvalidCredential):
            await both.verify(KeyText("dev", old.record.id, "x" * 32).text)
        await both.upkeep.write()
        assert (await row_of(engine, old.record.id)).pepper_version == 1

    async def test_refuses_keys_whose_pepper_is_gone(self, keys: ApiKeys, engine: AsyncEngine) -> None:
        old = await keys.create(**ALICE)
        for pepper in (f"2:{'n' * 32}", "another pepper of version 1, of 32 bytes"):
            with pytest.raises(InvalidCredential):
                await ApiKeys(engine, Peppers.parse(pepper), "dev").verify(old.key)


class TestRevoke:
    async def test_ends_a_key_here_at_once(self, keys: ApiKeys) -> None:
        created = await keys.create(**ALICE)
        await keys.verify(created.key)
        await keys.revoke(created.record.id)
        with pytest.raises(InvalidCredential):
            await keys.verify(created.key)

    async def test_ends_a_key_on_every_replica_within_5_seconds(
        self, keys: ApiKeys, replica: ApiKeys, clock: list[float]
    ) -> None:
        created = await keys.create(**ALICE)
        await replica.verify(created.key)
        assert await replica.works(created.record.id)
        await keys.revoke(created.record.id)
        clock[0] += 5
        with pytest.raises(InvalidCredential):
            await replica.verify(created.key)
        assert not await replica.works(created.record.id)

    async def test_keeps_the_first_moment(self, keys: ApiKeys, engine: AsyncEngine) -> None:
        created = await keys.create(**ALICE)
        await keys.revoke(created.record.id)
        first = (await row_of(engine, created.record.id)).revoked_at
        await keys.revoke(created.record.id)
        assert (await row_of(engine, created.record.id)).revoked_at == first

    @pytest.mark.parametrize(
        "end", [ApiKeys.revoke, lambda keys, *which: keys.rotate(which[0], 60, which[1])]
    )
    async def test_or_rotation_of_another_tenants_key_is_not_found(self, keys: ApiKeys, end: Any) -> None:
        created = await keys.create(**ALICE)
        with pytest.raises(NotFound):
            await end(keys, created.record.id, "beta")
        assert (await keys.verify(created.key)).user_id == "alice"

    async def test_of_an_unknown_key_is_not_found(self, keys: ApiKeys) -> None:
        with pytest.raises(NotFound):
            await keys.revoke("nobody")


class TestRotate:
    async def test_lets_both_work_until_the_overlap_ends(self, keys: ApiKeys) -> None:
        old = await keys.create(**ALICE, name="ci", scopes=["a"], plan="pro", claims={"portfolio_id": "p"})
        await keys.verify(old.key)
        new = await keys.rotate(old.record.id, overlap=0.4)
        assert (await keys.verify(old.key)).credential_id == old.record.id
        assert (await keys.verify(new.key)).scopes == {"a"}
        assert (new.record.name, new.record.plan, new.record.claims) == ("ci", "pro", {"portfolio_id": "p"})
        await asyncio.sleep(0.45)
        with pytest.raises(InvalidCredential):
            await keys.verify(old.key)
        assert (await keys.verify(new.key)).user_id == "alice"

    async def test_gives_the_new_key_as_long_a_life(self, keys: ApiKeys, engine: AsyncEngine) -> None:
        old = await keys.create(**ALICE, expires_at=now() + timedelta(days=30))
        await change(engine, old.record.id, created_at=old.record.created_at - timedelta(days=60))
        new = await keys.rotate(old.record.id, overlap=60)
        assert new.record.expires_at is not None
        assert timedelta(days=89) < new.record.expires_at - now() < timedelta(days=91)

    async def test_does_not_prolong_the_old_key(self, keys: ApiKeys, engine: AsyncEngine) -> None:
        old = await keys.create(**ALICE, expires_at=now() + timedelta(seconds=60))
        await keys.rotate(old.record.id, overlap=3600)
        assert (await row_of(engine, old.record.id)).expires_at == old.record.expires_at

    @pytest.mark.parametrize("state", ["unknown", "revoked", "expired"])
    async def test_needs_a_key_that_works(self, keys: ApiKeys, state: str) -> None:
        created = await keys.create(**ALICE, expires_at=now() - timedelta(1) if state == "expired" else None)
        if state == "revoked":
            await keys.revoke(created.record.id)
        with pytest.raises(NotFound):
            await keys.rotate("nobody" if state == "unknown" else created.record.id, overlap=60)


class TestCount:
    async def test_is_of_the_tenants_keys_that_work(self, keys: ApiKeys) -> None:
        ended = [await keys.create(**ALICE), await keys.create(**ALICE, expires_at=now() - timedelta(1))]
        await keys.revoke(ended[0].record.id)
        await keys.create(**ALICE)
        await keys.create(**ALICE, expires_at=now() + timedelta(1))
        await keys.create(tenant_id="beta", user_id="bob")
        assert await keys.count("acme") == 2


class TestWorks:
    async def test_tells_by_id_whether_a_key_still_works(self, keys: ApiKeys, engine: AsyncEngine) -> None:
        created = await keys.create(**ALICE)
        with statements(engine) as sent:
            assert await keys.works(created.record.id)
            assert await keys.works(created.record.id)
        assert sent == ["SELECT"]
        await keys.revoke(created.record.id)
        assert not await keys.works(created.record.id)

    async def test_of_an_unknown_key_is_false(self, keys: ApiKeys) -> None:
        assert not await keys.works("nobody")


class TestList:
    async def test_is_of_one_tenant_or_of_all(self, keys: ApiKeys) -> None:
        one = await keys.create(**ALICE)
        other = await keys.create(tenant_id="beta", user_id="bob")
        await keys.revoke(other.record.id)
        assert [key.id for key in await keys.list()] == [one.record.id, other.record.id]
        assert [key.user_id for key in await keys.list("beta")] == ["bob"]
        assert await keys.list("gamma") == ()


class TestFromSettings:
    async def test_uses_the_generated_pepper(self, make_settings: MakeSettings, engine: AsyncEngine) -> None:
        settings = make_settings()
        created = await ApiKeys.from_settings(settings, engine).create(**ALICE)
        assert (await ApiKeys.from_settings(settings, engine).verify(created.key)).user_id == "alice"
        assert created.key.startswith("gh_dev_")


def counted(function: Any, calls: list[int]) -> Any:
    def call(*arguments: Any) -> Any:
        calls.append(1)
        return function(*arguments)

    return call
