"""A revoked token is refused by every replica within 5 s, without a question to Redis for each request."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.auth.tokens import revoked as module
from gatehouse.auth.tokens.revocations import Revocations
from gatehouse.auth.tokens.revoked import LIST, RevokedTokens
from gatehouse.storage.digest import digest_of

DAY = 86_400.0


@pytest.fixture
def here(redis: Redis, engine: AsyncEngine) -> RevokedTokens:
    return RevokedTokens(redis, engine, DAY)


@pytest.fixture
def there(redis: Redis, engine: AsyncEngine) -> RevokedTokens:
    return RevokedTokens(redis, engine, DAY)


@pytest.fixture
def unreachable(here: RevokedTokens, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    async def refuse(*_: object, **__: object) -> None:
        raise RedisConnectionError("refused")

    with monkeypatch.context() as patch:
        patch.setattr(here._redis, "xrange", refuse)
        yield


class TestRevoke:
    async def test_holds_here_at_once(self, here: RevokedTokens) -> None:
        assert not await here.includes("acme", "t1")
        await here.revoke("acme", "t1")
        assert await here.includes("acme", "t1")

    async def test_is_of_one_tenants_token_only(self, here: RevokedTokens) -> None:
        await here.revoke("acme", "t1")
        assert not await here.includes("beta", "t1")
        assert not await here.includes("acme", "t2")

    async def test_reaches_a_replica_that_looks_again(
        self, here: RevokedTokens, there: RevokedTokens
    ) -> None:
        assert not await there.includes("acme", "t1")
        await here.revoke("acme", "t1")
        await there.look()
        assert await there.includes("acme", "t1")

    async def test_reaches_a_replica_that_follows_the_list(
        self, here: RevokedTokens, there: RevokedTokens, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "LOOK_EVERY", 0.01)
        async with there.followed(), asyncio.timeout(10):
            await here.revoke("acme", "t1")
            while digest_of("acme", "t1") not in there._revoked:
                await asyncio.sleep(0.01)

    async def test_is_known_to_a_replica_that_starts_later(
        self, here: RevokedTokens, redis: Redis, engine: AsyncEngine
    ) -> None:
        await here.revoke("acme", "t1")
        assert await RevokedTokens(redis, engine, DAY).includes("acme", "t1")

    async def test_is_read_though_its_row_came_late(self, engine: AsyncEngine) -> None:
        """A transaction takes time between the moment that it writes and its end."""
        kept, now = Revocations(engine), datetime.now(UTC)
        for token, seconds in (("late", 14), ("old", 16)):
            await kept.add(token, now - timedelta(seconds=seconds), now - timedelta(days=1))
        assert list(await kept.since(now)) == ["late"]

    @pytest.mark.parametrize("jti", ["", "a\nb", "x" * 256])
    async def test_refuses_what_can_be_no_jti(self, here: RevokedTokens, redis: Redis, jti: str) -> None:
        with pytest.raises(ValueError, match="printable"):
            await here.revoke("acme", jti)
        assert await redis.keys("*") == []


class Clock:
    """The time for the list, which a test moves on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self._began = time.time(), time.monotonic()
        monkeypatch.setattr(module, "time", self)

    def time(self) -> float:
        return self._began[0] + self.now

    def monotonic(self) -> float:
        return self._began[1] + self.now


class TestIncludes:
    async def test_does_not_ask_redis_again_while_the_list_is_fresh(
        self, here: RevokedTokens, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await here.includes("acme", "t1")
        monkeypatch.setattr(here, "_redis", None)
        assert not await here.includes("acme", "t1")

    async def test_asks_when_the_list_is_old(
        self, here: RevokedTokens, there: RevokedTokens, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert not await there.includes("acme", "t1")
        await here.revoke("acme", "t1")
        monkeypatch.setattr(module, "STALE_AFTER", 0.0)
        assert await there.includes("acme", "t1")

    async def test_counts_the_age_of_the_list_from_when_it_asked(
        self, here: RevokedTokens, there: RevokedTokens, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = Clock(monkeypatch)
        xrange: Any = there._redis.xrange

        async def slow(*args: Any, **options: Any) -> Any:
            clock.now += module.STALE_AFTER + 1
            return await xrange(*args, **options)

        with monkeypatch.context() as patch:
            patch.setattr(there._redis, "xrange", slow)
            await there.look()
        await here.revoke("acme", "t1")
        assert await there.includes("acme", "t1")

    @pytest.mark.usefixtures("unreachable")
    async def test_raises_when_the_list_cannot_be_read(self, here: RevokedTokens) -> None:
        with pytest.raises(RedisConnectionError):
            await here.includes("acme", "t1")

    @pytest.mark.usefixtures("unreachable")
    async def test_following_goes_on_through_an_outage(
        self, here: RevokedTokens, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        looked = 0

        async def look() -> None:
            nonlocal looked
            looked += 1
            raise RedisConnectionError("refused")

        monkeypatch.setattr(module, "LOOK_EVERY", 0.001)
        monkeypatch.setattr(here, "look", look)
        async with here.followed(), asyncio.timeout(10):
            while looked < 3:
                await asyncio.sleep(0.001)


class TestLostRedis:
    """Redis' list is gone, with the data of which it was a part."""

    async def test_costs_no_revocation(self, here: RevokedTokens, redis: Redis, engine: AsyncEngine) -> None:
        await here.revoke("acme", "t1")
        await redis.flushdb()
        assert await RevokedTokens(redis, engine, DAY).includes("acme", "t1")

    async def test_is_noticed_by_a_replica_that_had_read_it(
        self, here: RevokedTokens, there: RevokedTokens, redis: Redis
    ) -> None:
        await redis.xadd(LIST, {"tenant_id": "acme", "jti": "old"}, id="9999999999999-0")  # a clock ahead
        await there.look()
        await redis.flushdb()
        await here.revoke("acme", "t2")
        await there.look()
        assert await there.includes("acme", "t2")

    async def test_of_its_last_second_is_made_good(
        self, here: RevokedTokens, there: RevokedTokens, redis: Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await there.look()
        await here.revoke("acme", "t1")
        await redis.delete(LIST)
        monkeypatch.setattr(module, "READ_EVERY", 0.0)
        await there.look()
        assert await there.includes("acme", "t1")

    async def test_is_made_good_from_when_the_database_was_read_last(
        self, there: RevokedTokens, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = Clock(monkeypatch)
        await there.look()
        revoked_at = datetime.fromtimestamp(clock.time() + 1, UTC)
        await Revocations(engine).add(digest_of("acme", "t1"), revoked_at, revoked_at - timedelta(days=1))
        clock.now = 60  # for which the database was away
        assert await there.includes("acme", "t1")

    async def test_without_the_database_takes_no_token(
        self, here: RevokedTokens, redis: Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await here.look()
        await redis.flushdb()

        async def away(*_: object) -> None:
            raise OperationalError("SELECT", {}, OSError())

        monkeypatch.setattr(here._kept, "since", away)
        monkeypatch.setattr(module, "STALE_AFTER", 0.0)
        with pytest.raises(OperationalError):
            await here.includes("acme", "t1")

    async def test_away_lets_tokens_be_revoked_all_the_same(
        self, here: RevokedTokens, there: RevokedTokens, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def refuse(*_: object, **__: object) -> None:
            raise RedisConnectionError("refused")

        with monkeypatch.context() as patch:
            patch.setattr(here._redis, "xadd", refuse)
            await here.revoke("acme", "t1")
        assert await there.includes("acme", "t1")


class TestMemory:
    async def test_forgets_tokens_that_have_expired(self, redis: Redis, engine: AsyncEngine) -> None:
        brief = RevokedTokens(redis, engine, 0.05)
        await brief.revoke("acme", "t1")
        await asyncio.sleep(0.1)
        await brief.look()
        assert brief._revoked == {}

    async def test_trims_the_list_of_tokens_that_have_expired(
        self, here: RevokedTokens, redis: Redis
    ) -> None:
        for number in range(500):
            await redis.xadd(LIST, {"tenant_id": "acme", "jti": str(number)}, id=f"1000-{number + 1}")
        await here.revoke("acme", "t1")
        assert await redis.xlen(LIST) < 200
