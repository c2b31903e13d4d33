import asyncio
import time

import pytest
from redis.asyncio import Redis

from gatehouse.auth.browser import start_link
from gatehouse.auth.browser.start_link import LIFETIME, StartLink

TOKEN = "a-start-link-of-some-length"


@pytest.fixture
async def link(redis: Redis) -> StartLink:
    link = StartLink(redis)
    await link.register(TOKEN)
    return link


@pytest.fixture
def hour_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    class Later:
        @staticmethod
        def time() -> float:
            return time.time() + LIFETIME

    monkeypatch.setattr(start_link, "time", Later)


class TestStartLink:
    async def test_signs_in_once(self, link: StartLink) -> None:
        principal = await link.redeem(TOKEN)
        assert principal is not None
        assert principal.may("anything")
        assert await link.redeem(TOKEN) is None

    async def test_is_won_by_one_of_many_at_once(self, redis: Redis, link: StartLink) -> None:
        replicas = [StartLink(redis) for _ in range(20)]
        principals = await asyncio.gather(*(replica.redeem(TOKEN) for replica in replicas))
        assert sum(principal is not None for principal in principals) == 1

    async def test_stays_used_when_another_worker_registers_it(self, redis: Redis, link: StartLink) -> None:
        await link.redeem(TOKEN)
        await StartLink(redis).register(TOKEN)
        assert await link.redeem(TOKEN) is None

    @pytest.mark.parametrize("registered_again", [False, True])
    async def test_lives_for_an_hour(
        self, link: StartLink, registered_again: bool, request: pytest.FixtureRequest
    ) -> None:
        request.getfixturevalue("hour_passes")
        if registered_again:
            await link.register(TOKEN)
        assert await link.redeem(TOKEN) is None

    @pytest.mark.parametrize("token", ["", "another", TOKEN.upper()])
    async def test_that_was_never_registered_signs_nobody_in(
        self, redis: Redis, link: StartLink, token: str
    ) -> None:
        assert await link.redeem(token) is None
        assert len(await redis.keys("*")) == 1

    async def test_that_was_used_is_remembered_for_30_days_and_not_for_ever(
        self, redis: Redis, link: StartLink
    ) -> None:
        await link.redeem(TOKEN)
        [key] = await redis.keys("*")
        assert 29 * 86_400 < await redis.ttl(key) <= 30 * 86_400

    async def test_is_kept_as_a_hash(self, redis: Redis, link: StartLink) -> None:
        [key] = await redis.keys("*")
        assert TOKEN not in f"{key!r} {await redis.get(key)!r}"
