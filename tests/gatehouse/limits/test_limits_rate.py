"""Requests a minute."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from limited_callers import ALICE, ANNA, BOB, Process, caller
from live_redis import empty_redis
from redis.asyncio import Redis

from gatehouse.limits import rate
from gatehouse.limits.keys import counted
from gatehouse.problems.errors import InvalidInput
from gatehouse.settings.plans import NamedPlan, Plan

Make = Callable[..., Process]
SLOW = {"requests_per_minute": 1, "tenant_requests_per_minute": 1}  # what is spent stays spent in a test


class TestUser:
    async def test_has_a_burst_and_then_waits(self, process: Make) -> None:
        here = process(burst=3, **SLOW)
        assert await here.requests(5) == 3
        refusal = await here.request()
        assert refusal is not None
        assert refusal.status == 429
        assert 55 <= int(refusal.headers["retry-after"]) <= 60
        assert refusal.extra["limit"] == "requests"
        assert refusal.extra["violated-policies"] == ["requests"]

    async def test_gets_requests_back_with_time(self, process: Make) -> None:
        here = process(burst=2, requests_per_minute=600)
        assert await here.requests(2) == 2
        while await here.request() is not None:
            await asyncio.sleep(0.02)

    async def test_is_not_charged_for_what_is_refused(self, redis: Redis, process: Make) -> None:
        here = process(burst=1, **SLOW)
        await here.request()
        full_again = await redis.get(counted(ALICE).user.rate)
        assert await here.requests(20) == 0
        assert await redis.get(counted(ALICE).user.rate) == full_again

    async def test_has_limits_that_no_other_shares(self, process: Make) -> None:
        here = process(burst=2, **SLOW)
        assert await here.requests(3, ALICE) == 2
        assert await here.requests(3, ANNA) == 2
        assert await here.requests(3, caller("alice", "beta")) == 2

    async def test_has_one_limit_over_replicas_and_credentials(self, process: Make) -> None:
        here, there = process(burst=3, **SLOW), process(burst=3, **SLOW)
        by_key = caller()
        assert await here.requests(2) + await there.requests(2, by_key) == 3

    async def test_is_told_what_is_left(self, process: Make) -> None:
        here = process(burst=3, requests_per_minute=60, tenant_burst=9, tenant_requests_per_minute=60)
        admitted = await here.limiter.admit(ALICE, 2)
        assert admitted.standing is not None
        fields = dict(admitted.standing.fields())
        assert fields[b"ratelimit-policy"] == b'"requests";q=3;w=3, "tenant-requests";q=9;w=9'
        assert fields[b"ratelimit"] == b'"requests";r=1;t=2, "tenant-requests";r=7;t=2'


class TestTenant:
    async def test_has_a_limit_for_all_its_users_together(self, process: Make) -> None:
        here = process(tenant_burst=3, **SLOW)
        assert await here.requests(2, ALICE) + await here.requests(2, ANNA) == 3
        refusal = await here.request(ANNA)
        assert refusal is not None
        assert refusal.extra["violated-policies"] == ["tenant-requests"]
        assert "your tenant" in refusal.detail
        assert await here.request(BOB) is None

    async def test_that_refuses_does_not_charge_the_user(self, process: Make) -> None:
        here = process(burst=5, tenant_burst=1, **SLOW)
        await here.requests(4)
        assert await here.left("requests") == 4


class TestBatch:
    async def test_is_charged_by_item(self, process: Make) -> None:
        here = process(burst=10, **SLOW)
        await here.admission().reserve(7, at_once=2)
        assert await here.left("requests") == 3

    @pytest.mark.parametrize("bursts", [(10, 20), (20, 10)])
    async def test_that_never_fits_is_told_so(self, process: Make, bursts: tuple[int, int]) -> None:
        here = process(burst=bursts[0], tenant_burst=bursts[1], **SLOW)
        with pytest.raises(InvalidInput, match="A batch of 11 is more than your plan takes at once: 10"):
            await here.admission().reserve(11, at_once=2)


class TestStore:
    async def test_forgets_who_does_not_come_back(self, redis: Redis, process: Make) -> None:
        here = process(burst=2, requests_per_minute=600)
        await here.requests(2)
        assert 0 < await redis.pttl(counted(ALICE).user.rate) <= 200

    @pytest.mark.parametrize("name", ["a:b", "a}{b", "ä\U0001f600", "x" * 255, "*"])
    async def test_has_no_name_in_its_keys(self, redis: Redis, process: Make, name: str) -> None:
        await process().request(caller(name, name))
        assert all(len(key) < 60 and name.encode() not in key[11:] for key in await redis.keys())


# what happens: requests at once, or milliseconds that pass
EVENTS = st.lists(st.one_of(st.integers(1, 6), st.integers(1, 4000).map(lambda ms: -ms)), max_size=40)

PROBE = (
    rate.LUA
    + """
local wait, charged = conforms(KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]))
if wait == 0 then redis.call('SET', KEYS[1], string.format('%.0f', charged)) end
return wait
"""
)


class LeakyBucket:
    """The same limit as a level that runs off: what the algorithm has to be equal to."""

    def __init__(self, interval: int, burst: int) -> None:
        self.interval, self.burst = interval, burst
        self.level, self.at = 0, 0  # in microseconds

    def wait(self, now: int, cost: int) -> int:
        self.level = max(0, self.level - (now - self.at))
        self.at = now
        over = self.level + cost * self.interval - self.burst * self.interval
        if over <= 0:
            self.level += cost * self.interval
        return max(0, over)


@settings(max_examples=60, deadline=None)
@given(events=EVENTS, interval=st.integers(1000, 2_000_000), burst=st.integers(1, 8))
def test_is_a_leaky_bucket(events: list[int], interval: int, burst: int) -> None:
    async def compared() -> None:
        bucket, now = LeakyBucket(interval, burst), 1_790_000_000_000_000
        bucket.at = now
        async with Redis.from_url(empty_redis()) as redis:
            for event in events:
                if event < 0:
                    now -= 1000 * event
                    continue
                # without an expiry: the clock is the test's own
                arguments = (1, "rate", now, interval, burst, event)
                assert await redis.eval(PROBE, *arguments) == bucket.wait(now, event)

    asyncio.run(compared())


@pytest.mark.parametrize(("per_minute", "interval"), [(1, 60_000_000), (7, 8_571_429), (1_000_000, 60)])
def test_interval_is_never_shorter_than_the_plan_says(per_minute: int, interval: int) -> None:
    named = NamedPlan.of("x", Plan(requests_per_minute=per_minute))
    assert named.user.interval == interval
    assert interval * per_minute >= 60_000_000
