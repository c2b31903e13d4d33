"""Runs over a Redis Cluster: what is one step on a single Redis is two, and nothing is lost between them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from live_cluster import Cluster, running_cluster
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from run_replicas import ALICE, BOB, SETTINGS, Replica, Replicas, until
from run_runnables import Told
from run_viewers import Viewer, seen

from gatehouse.limits.admission import Admission
from gatehouse.limits.limiter import Limiter
from gatehouse.limits.refusal import LimitReached
from gatehouse.limits.reservations import Reservation, Reservations, Settlement
from gatehouse.problems.errors import Conflict
from gatehouse.runs.accounts import ACCOUNTS
from gatehouse.runs.events import BEGINNING, Cursor, End, record
from gatehouse.runs.lifecycle.clustered import ENDINGS, ClusteredAttempts
from gatehouse.runs.lifecycle.control import Control, idempotency_key, thread_key
from gatehouse.runs.records import RunRecord, load
from gatehouse.settings.plans import Plan, Plans
from gatehouse.storage.redis.cluster.client import ClusterRedis, everywhere
from gatehouse.storage.redis.cluster.nodes import Nodes
from gatehouse.usage.bookkeeping import Bookkeeper

KEY = ("key", b"body")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def connect(cluster: Cluster) -> Callable[[], Redis]:
    cluster.empty()
    return lambda: ClusterRedis(Nodes(cluster.url, 50))


class TestRuns:
    async def test_are_seen_whole_on_every_replica(self, here: Replica, there: Replica) -> None:
        runs = [(await here.start("/words", {"n": 20, "pause": 0.01})).run for _ in range(40)]
        elsewhere = [Viewer(there.engine, run.id) for run in runs]
        for run, viewer in zip(runs, elsewhere, strict=True):
            assert await viewer.end() == await seen(here.engine, run.id)
            assert viewer.types.count("token") == 20

    async def test_are_taken_over_with_what_they_hold(
        self, replicas: Replicas, told: Told, here: Replica
    ) -> None:
        run = (await here.start("/told")).run
        await until(lambda: told.inputs)
        there = await replicas.open()
        viewer = Viewer(there.engine, run.id)
        await viewer.until(lambda viewer: viewer.types == ["start"])
        await here.crash()
        await viewer.until(lambda viewer: "restart" in viewer.types)
        await there.engine.cancel(run.id)
        assert (await viewer.end())[-1].type == "end"

    async def test_are_cancelled_from_elsewhere(self, here: Replica, there: Replica, told: Told) -> None:
        run = (await here.start("/told")).run
        await until(lambda: told.inputs)
        await there.engine.cancel(run.id)
        await until(lambda: here.engine.local == {})
        ended = await load(there.redis, run.id)
        assert ended is not None
        assert ended.state == "cancelled"

    async def test_of_a_thread_take_turns(self, here: Replica, there: Replica, told: Told) -> None:
        first = (await here.start("/told", thread_id="t1")).run
        with pytest.raises(Conflict):
            await there.start("/told", thread_id="t1")
        waiting = asyncio.create_task(there.start("/words", thread_id="t1", multitask="enqueue"))
        await until(lambda: there.redis.llen(f"{thread_key(ALICE, 't1')}:queue"))
        await here.engine.cancel(first.id)
        second = (await waiting).run
        await seen(there.engine, second.id)
        assert await there.redis.exists(thread_key(ALICE, "t1")) == 0
        assert told.inputs

    async def test_begin_once_for_an_idempotency_key(self, here: Replica, there: Replica) -> None:
        asked = [replica.start("/words", idempotency=KEY) for replica in (here, there) * 5]
        started = await asyncio.gather(*asked)
        assert len({each.run.id for each in started}) == 1
        key = idempotency_key(ALICE, KEY[0])
        await seen(here.engine, started[0].run.id)
        assert 30 < await here.redis.ttl(key) <= SETTINGS.keep

    async def test_leave_an_account_each(self, here: Replica) -> None:
        for _ in range(20):
            await seen(here.engine, (await here.start("/words")).run.id)
        kept = [await here.redis.hlen(key) for key in everywhere(here.redis, ACCOUNTS)]
        assert sum(kept) == 20

        class Store:
            entered: list[str] = []

            async def enter(self, accounts: Any) -> None:
                self.entered += [account.run_id for account in accounts]

        bookkeeper = Bookkeeper(here.redis, Store(), "me")  # type: ignore[arg-type]
        assert await bookkeeper.enter_some() == 20
        assert await bookkeeper.enter_some() == 0
        assert len(set(Store.entered)) == 20

    async def test_that_are_erased_leave_nothing(self, here: Replica) -> None:
        run = (await here.start("/words", idempotency=KEY)).run
        await seen(here.engine, run.id)
        assert await here.engine.runs_of(ALICE.tenant_id, ALICE.user_id) == [run.id]
        await here.engine.erase([run.id])
        assert [key async for key in here.redis.scan_iter(f"*{run.id}*")] == []


class TestLimits:
    def limiter(self, redis: Redis) -> Limiter:
        plans = Plans({"default": Plan(concurrent_runs=10, requests_per_minute=1000, burst=200)})
        return Limiter(redis, plans, Reservations(redis, 30, plans), "refuse")

    async def test_are_exact_over_replicas(self, connect: Callable[[], Redis]) -> None:
        clients = [connect() for _ in range(3)]
        limiters = [self.limiter(client) for client in clients]
        admissions = [Admission(limiters[number % 3], ALICE) for number in range(60)]
        taken = await asyncio.gather(*(each.take() for each in admissions), return_exceptions=True)
        assert sum(isinstance(each, Reservation) for each in taken) == 10
        assert sum(isinstance(each, LimitReached) for each in taken) == 50
        await admissions[0].close()
        for limiter in limiters:
            await limiter.reservations.renew()
        await Admission(limiters[0], BOB).take()  # another tenant has limits of its own
        for client in clients:
            await client.aclose()


class TestEnd:
    """The end of a run is stored on one server, and settled on another."""

    @pytest.fixture
    async def redis(self, connect: Callable[[], Redis]) -> AsyncIterator[Redis]:
        client = connect()
        yield client
        await client.aclose()

    async def started(self, redis: Redis) -> tuple[RunRecord, ClusteredAttempts, Settlement]:
        attempts = ClusteredAttempts(redis, "me", 0.3, 60)
        seat = Reservation("seat", 500, "seat")
        reservations = Reservations(redis, 30, Plans({}))
        run = RunRecord(
            "0198c0de-0000-7000-8000-000000000001", ALICE, "/words", {}, "t1", 1000.0, 1100.0, 30,
            reservation=seat, idempotency=idempotency_key(ALICE, "key"),
        )  # fmt: skip
        control = Control(redis)
        assert await control.claim_thread(run, 60) is None
        await control.claim_key(ALICE, "key", b"", run.id, 5)
        await reservations._renew(reservations.keys_of(ALICE).runs, (30_000, 1, 1, "seat", seat.member))
        assert await attempts.create(run, reservations.hold(ALICE, seat), "claim")
        settlement = await reservations.settlement(ALICE, seat, 7)
        return run, attempts, settlement

    async def counted(self, settlement: Settlement, redis: Redis) -> list[Any]:
        return list(await redis.hmget(settlement.keys[2], "used", "reserved"))

    async def test_is_settled_once_by_who_finds_it_when_its_process_died(
        self, redis: Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run, attempts, settlement = await self.started(redis)
        assert await self.counted(settlement, redis) == [b"0", b"500"]

        async def dies(_ending: Any) -> None:
            raise RedisConnectionError("killed")

        with monkeypatch.context() as patched:
            patched.setattr(attempts, "_complete", dies)
            with pytest.raises(RedisConnectionError):
                await attempts.finish(replace(run, state="completed"), [a_record()], settlement)
        assert await self.counted(settlement, redis) == [b"0", b"500"]
        assert await Control(redis).claim_thread(replace(run, id="next"), 60) is None  # its holder has ended
        finder = ClusteredAttempts(redis, "they", 0.3, 60)
        await finder.settle_left(1e12)
        assert await self.counted(settlement, redis) == [b"7", b"0"]
        assert await redis.exists(settlement.keys[0]) == 0
        assert await attempts.finish(replace(run, state="completed"), [a_record()], settlement)
        await finder.settle_left(1e12)
        assert await self.counted(settlement, redis) == [b"7", b"0"]
        assert await redis.get(thread_key(ALICE, "t1")) == b"next"

    async def test_leaves_no_note(self, redis: Redis) -> None:
        run, attempts, settlement = await self.started(redis)
        assert await attempts.finish(replace(run, state="completed"), [a_record()], settlement)
        notes = everywhere(redis, ENDINGS)
        assert sum([await redis.hlen(key) for key in notes]) == 1
        await attempts.settle_left(0)
        assert sum([await redis.hlen(key) for key in notes]) == 0
        assert await self.counted(settlement, redis) == [b"7", b"0"]

    async def test_of_a_process_that_lost_the_run_settles_nothing(self, redis: Redis) -> None:
        run, attempts, settlement = await self.started(redis)
        late = replace(run, attempt=2, state="completed")
        assert not await attempts.finish(late, [a_record()], settlement)
        assert await self.counted(settlement, redis) == [b"0", b"500"]

    async def test_of_a_start_that_is_undone_gives_everything_back(self, redis: Redis) -> None:
        run, attempts, settlement = await self.started(redis)
        reservations = Reservations(redis, 30, Plans({}))
        await attempts.undo(run, reservations.hold(ALICE, run.reservation))
        assert await load(redis, run.id) is None
        assert await redis.exists(thread_key(ALICE, "t1")) == await redis.exists(run.idempotency) == 0
        assert await self.counted(settlement, redis) == [b"0", b"0"]
        assert not await attempts.create(run)


def a_record() -> Any:
    return record(Cursor(1, BEGINNING.sequence + 1), End(status="completed"))
