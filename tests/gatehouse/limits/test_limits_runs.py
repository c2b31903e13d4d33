"""Concurrent runs and tokens: what a run holds, and how it comes free."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from limited_callers import ALICE, ANNA, BOB, Process, plans
from redis.asyncio import Redis
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeout

from gatehouse.limits.keys import counted
from gatehouse.limits.limiter import Limiter
from gatehouse.limits.refusal import LimitReached
from gatehouse.limits.scripts import ADMIT, RENEW
from gatehouse.settings.plans import Plans
from gatehouse.storage.redis.script import Script

Make = Callable[..., Process]


class SlowScript:
    """Holds one script back, when it is called, until it may go on."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.called = asyncio.Event()
        self.may_go_on = asyncio.Event()

    def of(self, redis: Redis, text: str, seconds: float) -> Callable[..., Awaitable[Any]]:
        script = Script(redis, text, seconds)

        async def call(keys: Sequence[str], arguments: Sequence[Any]) -> Any:
            if text == self.text:
                self.called.set()
                await self.may_go_on.wait()
            return await script(keys, arguments)

        return call


class TestSlots:
    async def test_are_as_many_as_the_plan_says(self, process: Make) -> None:
        here = process(concurrent_runs=2)
        await here.admission().take()
        await here.admission().take()
        with pytest.raises(LimitReached, match="Too many runs go on at once") as caught:
            await here.admission().take()
        assert caught.value.extra["violated-policies"] == ["runs"]
        assert caught.value.headers["retry-after"] == "1"

    async def test_are_a_tenants_too(self, process: Make) -> None:
        here = process(tenant_concurrent_runs=2)
        await here.admission(ALICE).take()
        await here.admission(ANNA).take()
        with pytest.raises(LimitReached, match="all users of your tenant"):
            await here.admission(ALICE).take()
        assert await here.admission(BOB).take()

    async def test_come_free_when_a_run_ends(self, redis: Redis, process: Make) -> None:
        here = process(concurrent_runs=1)
        hold = await here.admission().take()
        assert hold is not None
        await here.settle(hold, 10)
        assert await here.left("runs") == 1
        assert await here.admission().take()

    async def test_that_are_refused_are_requests_all_the_same(self, process: Make) -> None:
        here = process(concurrent_runs=1, burst=10, requests_per_minute=1)
        await here.admission().take()
        for _ in range(3):
            with pytest.raises(LimitReached):
                await here.admission().take()
        assert await here.left("requests") == 6

    async def test_of_a_killed_process_come_free_by_themselves(self, process: Make) -> None:
        killed, here = process(lease=0.3, concurrent_runs=1), process(concurrent_runs=1)
        await killed.admission().take()
        assert await here.left("runs") == 0
        await asyncio.sleep(0.35)
        assert await here.left("runs") == 1
        assert await here.left("tokens") == 1_000_000

    async def test_that_are_renewed_stay(self, process: Make) -> None:
        here = process(lease=0.5, concurrent_runs=1)
        await here.admission().take()
        for _ in range(4):
            await asyncio.sleep(0.2)
            await here.reservations.renew()
        assert await here.left("runs") == 0
        assert await here.left("tokens") == 1_000_000 - 2000

    async def test_that_lapsed_while_their_run_went_on_are_taken_up_again(self, process: Make) -> None:
        here = process(lease=0.2, concurrent_runs=1)
        await here.admission().take()
        await asyncio.sleep(0.3)
        assert await here.left("runs") == 1
        await here.reservations.renew()
        assert await here.left("runs") == 0
        assert await here.left("tokens") == 1_000_000 - 2000

    async def test_follow_a_run_to_the_process_that_takes_it_over(self, process: Make) -> None:
        killed, heir = process(lease=0.4, concurrent_runs=1), process(lease=0.4, concurrent_runs=1)
        hold = await killed.admission().take()
        assert hold is not None
        heir.reservations.adopt(ALICE, hold)
        for _ in range(4):
            await heir.reservations.renew()
            await asyncio.sleep(0.15)
        assert await heir.left("runs") == 0

    async def test_of_many_callers_are_all_renewed(
        self, redis: Redis, process: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gatehouse.limits.reservations.CALLERS_AT_ONCE", 1)
        here = process()
        for who in (ALICE, ANNA, BOB):
            await here.admission(who).take()
        for who in (ALICE, ANNA, BOB):
            await redis.delete(*counted(who).runs)
        await here.reservations.renew()
        assert [await here.left("runs", who) for who in (ALICE, ANNA, BOB)] == [15, 15, 15]

    async def test_that_cannot_be_given_back_are_with_a_later_renewal(
        self, redis: Redis, process: Make
    ) -> None:
        here, keys = process(), counted(ALICE)
        hold = await here.admission().take()
        assert hold is not None
        await redis.rename(keys.user.slots, "aside")
        await redis.set(keys.user.slots, "what no script can read")
        here.reservations.give_up(keys, [hold])
        with pytest.raises(ResponseError):
            await here.reservations.renew()
        await redis.rename("aside", keys.user.slots)
        await here.reservations.renew()
        assert await here.left("runs") == 16

    async def test_are_not_renewed_after_the_end(self, redis: Redis, process: Make) -> None:
        here = process()
        hold = await here.admission().take()
        assert hold is not None
        renewing = asyncio.create_task(here.reservations.renew())
        await asyncio.sleep(0)
        await here.settle(hold, 5)
        await renewing
        await here.reservations.renew()
        assert await here.left("runs") == 16
        assert await here.left("tokens") == 1_000_000 - 5

    @pytest.mark.parametrize("how", ["settled", "released"])
    async def test_are_given_back_after_a_renewal_that_is_under_way(
        self, process: Make, monkeypatch: pytest.MonkeyPatch, how: str
    ) -> None:
        """Else it would take up again, for a lease, what was given back."""
        slow = SlowScript(RENEW)
        monkeypatch.setattr("gatehouse.limits.reservations.Script", slow.of)
        here = process()
        hold = await here.admission().take()
        assert hold is not None
        renewing = asyncio.create_task(here.reservations.renew())
        await slow.called.wait()
        given_back = asyncio.create_task(
            here.settle(hold, 0) if how == "settled" else here.reservations.release(counted(ALICE), [hold])
        )
        await asyncio.wait({given_back}, timeout=0.1)
        slow.may_go_on.set()
        await asyncio.gather(renewing, given_back)
        assert await here.left("runs") == 16
        assert await here.left("tokens") == 1_000_000

    async def test_that_redis_gave_and_did_not_say_come_free(
        self, redis: Redis, process: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who is served all the same has none, and nobody would give it back."""
        here, script = process(), Script(redis, ADMIT, 5)

        async def unheard(keys: Sequence[str], arguments: Sequence[Any]) -> None:
            await script(keys, arguments)
            raise RedisTimeout

        open_without_redis = Limiter(redis, Plans(plans()), here.reservations, "allow")
        monkeypatch.setattr(open_without_redis, "_admit", unheard)
        assert (await open_without_redis.admit(ALICE, 1, 2, at_once=1)).seats == ()
        assert await here.left("runs") == 15
        await here.reservations.renew()
        assert await here.left("runs") == 16
        assert await here.left("tokens") == 1_000_000

    async def test_that_are_given_up_during_a_renewal_come_free_as_well(self, process: Make) -> None:
        here = process(concurrent_runs=3)
        first, *later = [seat for _ in range(3) if (seat := await here.admission().take())]
        here.reservations.give_up(counted(ALICE), [first])
        renewing = asyncio.create_task(here.reservations.renew())
        await asyncio.sleep(0)  # it waits for Redis to release the first
        for reservation in later:
            here.reservations.give_up(counted(ALICE), [reservation])
        await renewing
        await here.reservations.renew()
        assert await here.left("runs") == 3


class TestTokens:
    async def test_are_reserved_before_and_settled_after(self, redis: Redis, process: Make) -> None:
        here = process(tokens_reserved=500)
        hold = await here.admission().take()
        assert hold is not None
        assert await here.left("tokens") == 1_000_000 - 500
        await here.settle(hold, 123)
        assert await here.left("tokens") == 1_000_000 - 123
        assert await here.left("tenant-tokens") == 20_000_000 - 123

    async def test_that_are_reserved_by_others_may_come_back_soon(self, process: Make) -> None:
        here = process(tokens_per_day=900, tokens_reserved=500)
        await here.admission().take()
        with pytest.raises(LimitReached) as caught:
            await here.admission().take()
        assert caught.value.extra["violated-policies"] == ["tokens"]
        assert caught.value.headers["retry-after"] == "5"

    async def test_that_are_spent_come_back_at_midnight(self, redis: Redis, process: Make) -> None:
        here = process(tokens_per_day=900, tokens_reserved=500)
        hold = await here.admission().take()
        assert hold is not None
        await here.settle(hold, 800)
        with pytest.raises(LimitReached) as caught:
            await here.admission().take()
        seconds, _ = await redis.time()
        assert abs(int(caught.value.headers["retry-after"]) - (86_400 - int(seconds) % 86_400)) <= 2

    async def test_of_yesterday_are_forgotten(self, redis: Redis, process: Make) -> None:
        here = process()
        await redis.hset(counted(ALICE).user.tokens, mapping={"day": 20_000, "used": 999_999})
        assert await here.left("tokens") == 1_000_000

    async def test_of_a_run_over_midnight_count_for_the_day_of_its_end(
        self, redis: Redis, process: Make
    ) -> None:
        here = process()
        hold = await here.admission().take()
        assert hold is not None
        await redis.hset(counted(ALICE).user.tokens, mapping={"day": 20_000, "used": 999_000})
        await here.settle(hold, 70)
        assert await here.left("tokens") == 1_000_000 - 70

    async def test_whose_reservations_are_gone_as_a_whole_are_free(self, redis: Redis, process: Make) -> None:
        here = process(tokens_reserved=500)
        await here.admission().take()
        await redis.delete(counted(ALICE).user.reserved)
        assert await here.left("tokens") == 1_000_000

    async def test_of_who_does_not_come_back_are_forgotten(self, redis: Redis, process: Make) -> None:
        here = process()
        hold = await here.admission().take()
        assert hold is not None
        await here.settle(hold, 123)
        keys = await redis.keys("gh:limits:*")
        assert keys
        assert -1 not in [await redis.pttl(key) for key in keys]  # that of no end

    async def test_count_when_the_reservation_has_lapsed(self, redis: Redis, process: Make) -> None:
        here = process(lease=0.2)
        hold = await here.admission().take()
        assert hold is not None
        await asyncio.sleep(0.3)
        await here.settle(hold, 70)
        assert await here.left("tokens") == 1_000_000 - 70


class TestBatch:
    async def test_reserves_for_each_item_and_has_slots_for_those_at_once(self, process: Make) -> None:
        here = process(concurrent_runs=5)
        await here.admission().reserve(10, at_once=4)
        assert await here.left("runs") == 1
        assert await here.left("tokens") == 1_000_000 - 10 * 2000

    async def test_is_one_call(self, process: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        here = process()
        calls = 0
        ask = here.limiter._ask

        async def counting(*args: object, **kwargs: object) -> object:
            nonlocal calls
            calls += 1
            return await ask(*args, **kwargs)  # type: ignore[arg-type]

        monkeypatch.setattr(here.limiter, "_ask", counting)
        admission = here.admission()
        await admission.reserve(10, at_once=4)
        assert len({hold.seat for hold in [await admission.take() for _ in range(10)] if hold}) == 10
        await admission.charge()
        assert calls == 1

    async def test_is_taken_as_a_whole_or_not_at_all(self, process: Make) -> None:
        here = process(tokens_per_day=19_999)
        with pytest.raises(LimitReached):
            await here.admission().reserve(10, at_once=4)
        assert await here.left("runs") == 16
        assert await here.left("tokens") == 19_999

    async def test_gives_back_what_was_not_begun(self, redis: Redis, process: Make) -> None:
        here = process()
        admission = here.admission()
        await admission.reserve(10, at_once=4)
        hold = await admission.take()
        assert hold is not None
        await here.settle(hold, 30)
        await admission.close()
        assert await here.left("runs") == 16
        assert await here.left("tokens") == 1_000_000 - 30
        await here.reservations.renew()
        assert await here.left("runs") == 16

    async def test_leaves_a_slot_to_each_run_that_goes_on(self, redis: Redis, process: Make) -> None:
        here = process()
        admission = here.admission()
        await admission.reserve(10, at_once=4)
        hold = await admission.take()
        assert hold is not None
        await admission.close()
        assert await here.left("runs") == 15
        await here.settle(hold, 0)
        assert await here.left("runs") == 16

    async def test_item_that_is_taken_over_has_a_slot_of_its_own(self, process: Make) -> None:
        killed, heir = process(lease=0.3), process(lease=30)
        admission = killed.admission()
        await admission.reserve(3, at_once=1)
        hold = await admission.take()
        assert hold is not None
        assert hold.slot == ""
        heir.reservations.adopt(ALICE, hold)
        await heir.reservations.renew()
        await asyncio.sleep(0.35)
        assert await heir.left("runs") == 15


class TestAdmission:
    async def test_charges_a_request_once(self, process: Make) -> None:
        here = process(burst=10, requests_per_minute=1)
        admission = here.admission()
        await admission.charge()
        await admission.take()
        await admission.charge()
        assert await here.left("requests") == 9

    async def test_of_a_run_that_could_not_begin_is_given_back(self, process: Make) -> None:
        here = process()
        admission = here.admission()
        hold = await admission.take()
        assert hold is not None
        admission.give_back(hold)
        await admission.close()
        assert await here.left("runs") == 16
        assert await here.left("tokens") == 1_000_000

    async def test_is_closed_once(self, process: Make) -> None:
        here = process()
        admission = here.admission()
        await admission.reserve(2, at_once=2)
        await admission.take()
        await admission.close()
        await admission.close()
        assert await here.left("runs") == 15
