"""Plans, addresses, connections: what the limits are made of."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from limited_callers import ALICE, ANNA, Process, caller
from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import ResponseError
from structlog.typing import EventDict

from gatehouse.limits.limiter import Limiter
from gatehouse.limits.refusal import LimitReached
from gatehouse.limits.reservations import Reservations
from gatehouse.limits.signins import SignIns, key_of
from gatehouse.limits.streams import OpenStreams
from gatehouse.problems.errors import Unavailable
from gatehouse.settings import Settings
from gatehouse.settings.plans import REMEMBERED_NAMES, Plan, Plans
from gatehouse.storage.redis.script import Script

Make = Callable[..., Process]


class TestPlans:
    def test_come_from_a_setting_as_json(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GATEHOUSE_PLANS", json.dumps({"pro": {"burst": 7}}))
        plans = Settings(_env_file=None).plans
        assert plans["pro"].burst == 7
        assert plans["pro"].concurrent_runs == Plan().concurrent_runs

    @pytest.mark.parametrize(
        "text",
        [
            "{", "[]", '{"pro": 5}', '{"pro": {"brust": 7}}', '{"pro": {"burst": 0}}',
            '{"pro": {"burst": 1.5}}', '{"pro": {"tokens_per_day": 10, "tokens_reserved": 11}}',
            '{"pro": {"tenant_tokens_per_day": 10, "tokens_reserved": 11}}',
        ],
    )  # fmt: skip
    def test_that_cannot_be_read_stop_the_start(self, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
        monkeypatch.setenv("GATEHOUSE_PLANS", text)
        with pytest.raises(ValidationError, match="plans"):
            Settings(_env_file=None)

    def test_have_a_default(self) -> None:
        assert Plans({}).of(None).plan == Plan()
        assert Plans({"default": Plan(burst=3)}).of(None).user.burst == 3

    def test_warn_once_of_a_name_and_of_so_many_names(self, logs: list[EventDict]) -> None:
        plans = Plans({})
        for number in range(2 * REMEMBERED_NAMES):
            assert plans.of(f"plan {number}").name == "default"
            plans.of(f"plan {number}")
        assert len(logs) == REMEMBERED_NAMES


class TestRefusal:
    @pytest.mark.parametrize(("seconds", "told"), [(0.2, "1"), (1.0, "1"), (1.2, "2"), (60.0, "60")])
    def test_is_over_when_it_says(self, seconds: float, told: str) -> None:
        assert LimitReached("requests", "user", seconds).headers == {"retry-after": told}


class TestOpenStreams:
    def test_are_those_of_one_user_of_one_tenant(self) -> None:
        streams = OpenStreams(Plans({"default": Plan(open_streams=1)}))
        with streams.one_more(ALICE):
            for other in (ANNA, caller("alice", "beta")):
                with streams.one_more(other):
                    pass
            with pytest.raises(LimitReached), streams.one_more(ALICE):
                pass
        with streams.one_more(ALICE):
            pass


class TestAddresses:
    def test_of_one_network_are_one(self) -> None:
        assert key_of("2001:db8::1") == key_of("2001:db8:0:0:ffff::7")
        assert key_of("2001:db8::1") != key_of("2001:db8:0:1::1")

    def test_of_ipv4_are_themselves(self) -> None:
        assert key_of("203.0.113.7") == key_of("::ffff:203.0.113.7")
        assert key_of("203.0.113.7") != key_of("203.0.113.8")

    def test_that_are_none_share_a_count(self) -> None:
        assert key_of(None) == key_of("")
        assert key_of("unix:/run/socket") != key_of("")


class TestSignIns:
    async def test_are_slowed_after_failures(self, redis: Redis) -> None:
        signins = SignIns(redis, 2)
        await signins.begin("203.0.113.7")
        await signins.begin("203.0.113.7")
        with pytest.raises(LimitReached) as caught:
            await signins.begin("203.0.113.7")
        assert 290 <= int(caught.value.headers["retry-after"]) <= 300
        await signins.begin("203.0.113.8")

    async def test_that_succeed_are_given_back(self, redis: Redis) -> None:
        signins = SignIns(redis, 2)
        for _ in range(5):
            await signins.begin("203.0.113.7")
            await signins.succeeded("203.0.113.7")

    async def test_are_counted_whatever_succeeds_in_between(self, redis: Redis) -> None:
        """Each success gives its own charge back, and none of a failure."""
        signins = SignIns(redis, 2)
        await signins.begin("203.0.113.7")  # fails
        await signins.begin("203.0.113.7")
        await signins.succeeded("203.0.113.7")
        await signins.begin("203.0.113.7")  # fails
        with pytest.raises(LimitReached):
            await signins.begin("203.0.113.7")

    async def test_without_redis_are_none(self, dead_redis: Redis, logs: list[EventDict]) -> None:
        signins = SignIns(dead_redis, 2)
        with pytest.raises(Unavailable):
            await signins.begin("203.0.113.7")
        await signins.succeeded("203.0.113.7")
        assert [entry["event"] for entry in logs] == ["sign-in not given back"]


@pytest.fixture
def dead_redis() -> Redis:
    """A client of a Redis that is not there."""
    return Redis.from_url("redis://127.0.0.1:1", socket_connect_timeout=1, retry=None)


class TestWithoutRedis:
    async def test_nobody_is_served(self, dead_redis: Redis, logs: list[EventDict]) -> None:
        limiter = Limiter(dead_redis, Plans({}), Reservations(dead_redis, 5), "refuse")
        with pytest.raises(Unavailable) as caught:
            await limiter.admit(ALICE, 1)
        assert caught.value.headers == {"retry-after": "5"}
        assert [entry["event"] for entry in logs] == ["limits cannot be counted"]

    async def test_everybody_is_served_when_that_was_chosen(
        self, dead_redis: Redis, logs: list[EventDict]
    ) -> None:
        limiter = Limiter(dead_redis, Plans({}), Reservations(dead_redis, 5), "allow")
        admitted = await limiter.admit(ALICE, 1, 1)
        assert (admitted.standing, admitted.refusal, admitted.seats) == (None, None, ())
        assert await limiter.look(ALICE) is None

    async def test_what_cannot_be_given_back_is_logged(
        self, process: Make, logs: list[EventDict], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        here = process()
        admission = here.admission()
        await admission.reserve(2)

        async def gone(*_args: Any) -> None:
            raise ConnectionError

        monkeypatch.setattr(here.reservations, "release", gone)
        await admission.close()
        assert [entry["event"] for entry in logs] == ["limits cannot be given back yet"]


class TestScript:
    async def test_is_loaded_again_when_redis_has_forgotten_it(self, redis: Redis) -> None:
        script = Script(redis, "return tonumber(ARGV[1]) + 1", 5)
        assert await script([], [1]) == 2
        await redis.script_flush()
        assert await script([], [2]) == 3

    async def test_that_fails_leaves_no_broken_connection(self, redis: Redis) -> None:
        script = Script(redis, "if ARGV[1] == '0' then return redis.call('NONSENSE') end return 7", 5)
        for answer in ("1", "0", "1"):
            if answer == "0":
                with pytest.raises(ResponseError):
                    await script([], [answer])
            else:
                assert await script([], [answer]) == 7

    async def test_survives_connections_that_were_closed_meanwhile(self, empty_redis: str) -> None:
        async with Redis.from_url(empty_redis) as client, Redis.from_url(empty_redis) as operator:
            script = Script(client, "return 7", 5)
            assert await script([], []) == 7
            await operator.client_kill_filter(_type="normal", skipme=True)
            assert await script([], []) == 7
