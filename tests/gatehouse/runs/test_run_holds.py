"""What a run holds of its caller's limits, from its start to its end, on whatever replica that is."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisGone
from run_replicas import ALICE, LEASE, Conversations, Replica, Replicas, until
from run_runnables import Told
from run_viewers import Viewer

from gatehouse.limits.admission import Admission
from gatehouse.limits.keys import counted
from gatehouse.limits.limiter import Limiter
from gatehouse.limits.refusal import LimitReached
from gatehouse.problems.errors import Conflict
from gatehouse.runs.accounts import ACCOUNTS, parsed_account
from gatehouse.runs.events import Usage
from gatehouse.runs.lifecycle.conducting import RESERVATION_LEASES
from gatehouse.runs.lifecycle.undoing import NotStored
from gatehouse.runs.records import load
from gatehouse.runs.tending import Tending
from gatehouse.settings.plans import Plan, Plans

PLAN = Plan(concurrent_runs=1, tokens_per_day=10_000, tokens_reserved=2000)


@pytest.fixture
def lease() -> float:
    return LEASE


@dataclass
class Door:
    """The limits of one replica."""

    replica: Replica

    def __post_init__(self) -> None:
        holds = self.replica.engine.conductor.reservations
        self.limiter = Limiter(self.replica.redis, Plans({"default": PLAN}), holds, "refuse")

    def admission(self) -> Admission:
        return Admission(self.limiter, ALICE)

    async def start(self, **options: object) -> str:
        started = await self.replica.start("/told", {"input": "hello"}, admission=self.admission(), **options)
        return started.run.id

    async def left(self) -> tuple[int, int]:
        """Return the runs and tokens that are left."""
        standing = await self.limiter.look(ALICE)
        assert standing is not None
        left = {limit.name: limit.remaining for limit in standing.limits()}
        return left["runs"], left["tokens"]


@pytest.fixture
def door(here: Replica) -> Door:
    return Door(here)


@pytest.fixture
async def other(there: Replica) -> Door:
    return Door(there)


def unheard(call: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
    """Return a call that Redis obeys and whose answer is lost."""

    async def made(*arguments: object) -> object:
        await call(*arguments)
        raise RedisGone

    return made


class TestHold:
    async def test_is_renewed_while_the_run_goes_on(self, door: Door, told: Told) -> None:
        run_id = await door.start()
        viewer = Viewer(door.replica.engine, run_id)
        told.tell(run_id, "a")
        await viewer.tokens(1)
        lease_over = door.limiter.reservations.lease_ms / 1000
        await asyncio.sleep(1.5 * lease_over)
        assert await door.left() == (0, 8000)
        await viewer.leave()

    async def test_outlasts_the_takeover_of_its_run(self, replicas: Replicas) -> None:
        """An orphan is taken over within two leases and a half: nobody else is to have its place by then."""
        lease = 60.0
        here = Door(await replicas.open(lease=lease))
        await here.start()
        redis, slots = here.replica.redis, counted(ALICE).user.slots
        now, _ = await redis.time()
        longer_than = [
            await redis.zcount(slots, 1000 * (float(now) + leases * lease), "+inf") for leases in (2.5, 4)
        ]
        assert longer_than == [1, 0]

    async def test_keeps_another_run_out(self, door: Door, told: Told) -> None:
        await door.start()
        with pytest.raises(LimitReached):
            await door.start()

    async def test_ends_with_the_run(self, door: Door, told: Told) -> None:
        run_id = await door.start()
        await door.replica.engine.cancel(run_id)
        await until(lambda: run_id not in door.replica.engine.local)
        assert await door.left() == (1, 10_000)

    async def test_of_a_run_that_cannot_begin_is_given_back(self, door: Door, history: Conversations) -> None:
        history.refusal = Conflict("no room")
        admission = door.admission()
        with pytest.raises(Conflict):
            await door.replica.start("/told", {}, thread_id="t", admission=admission)
        await admission.close()
        assert await door.left() == (1, 10_000)
        assert history.undone == []  # the thread has said that it took nothing

    @pytest.mark.parametrize("how", [{}, {"new_thread": True}])
    async def test_of_a_start_that_redis_may_have_comes_free_as_it_is_undone(
        self, replicas: Replicas, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any]
    ) -> None:
        door = Door(await replicas.open(lease=30))
        attempts, admission = door.replica.engine.attempts, door.admission()
        for name in ("create", "create_admitted"):
            monkeypatch.setattr(attempts, name, unheard(getattr(attempts, name)))
        with pytest.raises(NotStored):
            await door.replica.start("/told", {}, admission=admission, **how)
        with pytest.raises(LimitReached):  # what it took is no other's
            await admission.take()
        await admission.close()
        assert await door.left() == (0, 8000)
        await door.replica.engine.conductor.settle_doubts()
        assert await door.left() == (1, 10_000)

    async def test_follows_the_run_to_the_replica_that_takes_it_over(
        self, door: Door, other: Door, told: Told
    ) -> None:
        run_id = await door.start()
        await door.replica.crash()
        await until(lambda: run_id in other.replica.engine.local)
        assert await other.left() == (0, 8000)
        await other.replica.engine.cancel(run_id)
        await until(lambda: run_id not in other.replica.engine.local)
        assert await other.left() == (1, 10_000)

    async def test_is_renewed_by_the_replica_that_took_the_run_over(
        self, door: Door, other: Door, told: Told
    ) -> None:
        run_id = await door.start()
        await door.replica.crash()
        await until(lambda: run_id in other.replica.engine.local)
        await asyncio.sleep(1.5 * RESERVATION_LEASES * LEASE)
        assert await other.left() == (0, 8000)

    async def test_is_not_renewed_by_a_process_whose_leases_are_not(
        self, replicas: Replicas, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It was paused, and others may have ended its runs."""
        door, looks = Door(await replicas.open(lease=30)), []
        await door.start()
        await door.replica.pause()
        await door.replica.redis.delete(*counted(ALICE).runs)

        async def looked() -> None:
            looks.append(1)

        monkeypatch.setattr(door.replica.engine.conductor, "settle_doubts", looked)
        tending = Tending(door.replica.engine)
        tending.settings = replace(tending.settings, lease=0.1)
        working = asyncio.create_task(tending.upkeep())
        await until(lambda: len(looks) > 1)
        working.cancel()
        assert await door.left() == (1, 10_000)

    async def test_of_a_run_that_was_given_up_is_renewed_no_longer(
        self, door: Door, other: Door, told: Told
    ) -> None:
        run_id = await door.start()
        await door.replica.engine.conductor.close()  # the process lives on, and its beat
        await until(lambda: run_id in other.replica.engine.local)
        await other.replica.engine.cancel(run_id)
        await until(lambda: run_id not in other.replica.engine.local)
        await asyncio.sleep(LEASE)
        assert await other.left() == (1, 10_000)

    async def test_that_is_handed_over_is_not_given_back(self, door: Door, other: Door) -> None:
        run_id = await door.start()
        await door.replica.close()
        await until(lambda: run_id in other.replica.engine.local)
        assert (await other.left())[0] == 0


class TestAccount:
    async def test_is_left_once_with_the_end(self, door: Door, other: Door, told: Told) -> None:
        run_id = await door.start()
        await door.replica.crash()
        await until(lambda: run_id in other.replica.engine.local)
        await other.replica.engine.cancel(run_id)
        await until(lambda: run_id not in other.replica.engine.local)
        kept = await other.replica.redis.hgetall(ACCOUNTS)
        assert list(kept) == [run_id.encode()]
        (told_last,) = kept.values()
        assert isinstance(told_last, bytes)
        account = parsed_account(told_last)
        assert (account.tenant_id, account.user_id, account.status) == ("acme", "alice", "cancelled")
        assert account.models == {}

    async def test_is_not_left_by_a_run_that_goes_on(self, door: Door) -> None:
        await door.start()
        assert await door.replica.redis.hlen(ACCOUNTS) == 0


async def test_record_of_an_older_release_is_read(door: Door) -> None:
    run_id = await door.start()
    await door.replica.redis.hdel(f"gh:{{{run_id}}}:run", "reservation", "models")
    run = await load(door.replica.redis, run_id)
    assert run is not None
    assert run.reservation is None
    assert run.models == {}
    assert run.usage == Usage()
