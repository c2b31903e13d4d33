"""Starts that fail half-way, or whose caller leaves: what they leave behind is nothing."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from live_redis import RedisServer
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisGone
from run_replicas import ALICE, LEASE, Conversations, Replica, Replicas, client_of, until
from run_runnables import Told, Words
from run_viewers import last, seen

from gatehouse.limits.admission import Admission
from gatehouse.limits.limiter import Limiter
from gatehouse.limits.refusal import LimitReached
from gatehouse.problems.errors import Unavailable
from gatehouse.runs.lifecycle.attempts import ACTIVE, Renewed
from gatehouse.runs.lifecycle.control import idempotency_key
from gatehouse.runs.lifecycle.undoing import NotStored
from gatehouse.runs.records import RunRecord, load
from gatehouse.settings.plans import Plan, Plans

KEY = ("key", b"body")


@pytest.fixture
def lease() -> float:
    return LEASE


@dataclass
class Caller:
    """Somebody with limits, and the replica that is asked."""

    replica: Replica
    runs: int = 3

    def __post_init__(self) -> None:
        self.reservations = self.replica.engine.conductor.reservations
        self.plans = Plans({"default": Plan(concurrent_runs=self.runs, tokens_reserved=100)})
        self.reservations.plans = self.plans
        self.limiter = Limiter(self.replica.redis, self.plans, self.reservations, "refuse")

    async def start(self, **options: Any) -> str:
        admission = Admission(self.limiter, ALICE)
        try:
            started = await self.replica.start("/told", {"input": "hello"}, admission=admission, **options)
        finally:
            await admission.close()
        return started.run.id

    async def left(self) -> int:
        standing = await self.limiter.look(ALICE)
        assert standing is not None
        return {limit.name: limit.remaining for limit in standing.limits()}["runs"]


@pytest.fixture
def caller(here: Replica) -> Caller:
    return Caller(here)


async def known_runs(redis: Redis) -> list[RunRecord]:
    keys = [key.decode() async for key in redis.scan_iter("gh:{*}:run")]
    runs = [await load(redis, key.split("{")[1].split("}")[0]) for key in keys]
    return [run for run in runs if run is not None]


class TestCallerWhoLeaves:
    """A client may abort at any moment of its request."""

    @pytest.mark.parametrize("grace", [0, 30])
    async def test_leaves_no_run_that_nobody_executes_and_none_outside_the_limits(
        self, caller: Caller, there: Replica, redis: Redis, told: Told, grace: int
    ) -> None:
        begun = 0
        for step in range(40):
            starting = asyncio.create_task(caller.start(grace=grace))
            await asyncio.sleep(step * 0.0003)
            begun += not starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            running = [run for run in await known_runs(redis) if not run.finished]
            local = caller.replica.engine.local
            elsewhere = {run.id for run in running} - local.keys()  # or it has ended since it was looked at
            assert all(run.finished for run in await known_runs(redis) if run.id in elsewhere)
            assert len(local) <= caller.runs
        going = [item for item in caller.replica.engine.local.values() if item.stop is None]
        assert len(going) <= (caller.runs if grace else begun)
        await asyncio.sleep(3 * LEASE)
        assert there.engine.local == {}
        for run_id in list(caller.replica.engine.local):
            await caller.replica.engine.cancel(run_id)
        await until(lambda: caller.replica.engine.local == {})
        await until(lambda: is_whole(caller))

    async def test_executes_nothing_without_grace(
        self, caller: Caller, redis: Redis, told: Told, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        starting = asyncio.create_task(caller.start(grace=0))
        cancel_at(monkeypatch, caller.replica, "create_admitted", starting)
        with pytest.raises(asyncio.CancelledError):
            await starting
        await until(lambda: caller.replica.engine.local == {})
        assert told.inputs == []
        assert [run.state for run in await known_runs(redis)] == ["cancelled"]
        assert await caller.left() == caller.runs

    async def test_frees_the_thread_and_the_key_at_once(
        self, caller: Caller, history: Conversations, told: Told
    ) -> None:
        history.slowness = 0.05
        starting = asyncio.create_task(caller.start(thread_id="t1", idempotency=KEY))
        await until(lambda: history.beginning)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        assert len(history.undone) == len(history.begun) == 1
        await caller.start(thread_id="t1", idempotency=KEY)


async def is_whole(caller: Caller) -> bool:
    await caller.reservations.renew()
    return await caller.left() == caller.runs


def cancel_at(
    monkeypatch: pytest.MonkeyPatch, replica: Replica, step: str, task: "asyncio.Task[Any]"
) -> None:
    """Cancel a task when Redis has obeyed this call of the attempts, before anybody hears of it."""
    obeyed: Callable[..., Any] = getattr(replica.engine.attempts, step)

    async def then_cancelled(*arguments: Any) -> Any:
        answer = await obeyed(*arguments)
        task.cancel()
        return answer

    monkeypatch.setattr(replica.engine.attempts, step, then_cancelled)


@pytest.fixture
def frozen_redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    thaw(server)
    server.stop()


@pytest.fixture
async def cold(frozen_redis: RedisServer, told: Told, history: Conversations) -> AsyncIterator[Replicas]:
    opened = Replicas(
        lambda: client_of(frozen_redis.url), {"/told": told, "/words": Words()}, history=history
    )
    yield opened
    thaw(frozen_redis)
    await opened.close()


def freeze(server: RedisServer) -> None:
    assert server.process is not None
    os.kill(server.process.pid, signal.SIGSTOP)


def thaw(server: RedisServer) -> None:
    if server.process is not None:
        os.kill(server.process.pid, signal.SIGCONT)


class TestFrozenRedis:
    """The command that stores the run is obeyed when Redis thaws, long after its caller was refused."""

    @pytest.fixture(autouse=True)
    def _impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("gatehouse.runs.lifecycle.attempts.COMMAND_SECONDS", 0.4)

    async def refused(self, caller: Caller, server: RedisServer, **options: Any) -> None:
        """Ask for a run whose storing is under way when Redis freezes."""
        conductor = caller.replica.engine.conductor
        enter = conductor.history.begin

        async def then_freeze(run: RunRecord) -> None:
            await enter(run)
            freeze(server)

        conductor.history.begin = then_freeze  # type: ignore[method-assign]
        with pytest.raises(NotStored) as refusal:
            await caller.start(new_thread=True, **options)
        assert refusal.value.status == 503
        assert "retry-after" in refusal.value.headers
        conductor.history.begin = enter  # type: ignore[method-assign]

    async def test_keeps_no_run_of_it(
        self, cold: Replicas, frozen_redis: RedisServer, told: Told, history: Conversations
    ) -> None:
        here, there = await cold.open(), await cold.open()
        caller = Caller(here)
        await self.refused(caller, frozen_redis)
        thaw(frozen_redis)
        await until(lambda: history.undone != [])
        await asyncio.sleep(4 * LEASE)
        assert told.inputs == []
        assert there.engine.local == here.engine.local == {}
        assert await known_runs(here.redis) == []
        assert await here.redis.zcard(ACTIVE) == 0
        assert await caller.left() == caller.runs

    async def test_lets_the_retry_with_the_same_key_run_once(
        self, cold: Replicas, frozen_redis: RedisServer, told: Told
    ) -> None:
        here, there = await cold.open(), await cold.open()
        await self.refused(Caller(here), frozen_redis, idempotency=KEY)
        thaw(frozen_redis)
        run_id = await Caller(there).start(idempotency=KEY)
        told.end(run_id)
        assert last(await seen(there.engine, run_id), "end")["status"] == "completed"
        await asyncio.sleep(3 * LEASE)
        assert len(told.inputs) == 1
        assert [run.id for run in await known_runs(here.redis)] == [run_id]

    @pytest.mark.parametrize(
        ("bound", "refused", "new_thread"),
        [
            ("gatehouse.runs.lifecycle.attempts.ANSWER_SECONDS", NotStored, False),
            ("gatehouse.limits.limiter.ANSWER_SECONDS", Unavailable, True),
        ],
        ids=["with the run", "before its question is kept"],
    )
    async def test_gives_back_what_it_may_have_taken_of_the_limits(
        self,
        cold: Replicas,
        frozen_redis: RedisServer,
        monkeypatch: pytest.MonkeyPatch,
        bound: str,
        refused: type[Exception],
        new_thread: bool,
    ) -> None:
        monkeypatch.setattr(bound, 0.3)
        caller = Caller(await cold.open())
        caller.reservations.lease_ms = 600_000  # what lapses by itself is not given back
        await caller.left()
        freeze(frozen_redis)
        with pytest.raises(refused):
            await caller.start(new_thread=new_thread)
        thaw(frozen_redis)
        await until(lambda: is_whole(caller))


class TestOneStep:
    """A run that no thread comes before is charged, given its place and stored by one script."""

    async def test_stores_nothing_where_the_limits_have_no_room(
        self, here: Replica, redis: Redis, told: Told
    ) -> None:
        caller = Caller(here, runs=1)
        run_id = await caller.start()
        with pytest.raises(LimitReached):
            await caller.start()
        assert [run.id for run in await known_runs(redis)] == [run_id]

    async def test_that_redis_took_twice_is_one_run_that_is_charged_once(
        self, here: Replica, redis: Redis, told: Told, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        caller = Caller(here, runs=1)
        begin = here.engine.attempts._begin

        async def begin_again(keys: Sequence[str], arguments: Sequence[Any]) -> Any:
            await begin(keys, arguments)
            return await begin(keys, arguments)

        monkeypatch.setattr(here.engine.attempts, "_begin", begin_again)
        run_id = await caller.start()
        assert [run.id for run in await known_runs(redis)] == [run_id]
        assert await caller.left() == 0
        await here.engine.cancel(run_id)
        await until(lambda: is_whole(caller))


class TestIdempotencyKey:
    async def test_lasts_as_long_as_its_run_is_known(self, here: Replica, redis: Redis) -> None:
        run = (await here.start("/words", {"n": 1}, idempotency=KEY)).run
        key = idempotency_key(ALICE, KEY[0])
        assert await redis.ttl(key) == await redis.ttl(f"gh:{{{run.id}}}:run")
        await seen(here.engine, run.id)
        assert abs(await redis.ttl(key) - await redis.ttl(f"gh:{{{run.id}}}:run")) <= 1
        await here.engine.erase([run.id])
        assert (await here.start("/words", {"n": 1}, idempotency=KEY)).run.id != run.id

    async def test_that_redis_may_have_taken_is_free_again(
        self, here: Replica, redis: Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        claim = here.engine.control.claim_key

        async def unheard(*arguments: Any) -> None:
            await claim(*arguments)
            raise RedisGone

        monkeypatch.setattr(here.engine.control, "claim_key", unheard)
        with pytest.raises(RedisGone):
            await here.start("/words", {"n": 1}, idempotency=KEY)
        assert await redis.exists(idempotency_key(ALICE, KEY[0])) == 0

    async def test_is_a_request_for_each_who_comes_with_it(self, caller: Caller) -> None:
        caller.limiter.plans = Plans({"default": Plan(burst=2, requests_per_minute=1)})
        assert await caller.start(idempotency=KEY) == await caller.start(idempotency=KEY)
        with pytest.raises(LimitReached):
            await caller.start(idempotency=KEY)

    async def test_whose_first_start_failed_is_the_next_ones(
        self, here: Replica, there: Replica, history: Conversations, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        history.slowness, history.refusal = 0.3, NotStored()
        first = asyncio.create_task(here.start("/words", {"n": 1}, new_thread=True, idempotency=KEY))
        await until(lambda: there.redis.exists(idempotency_key(ALICE, KEY[0])))
        second = asyncio.create_task(there.start("/words", {"n": 1}, new_thread=True, idempotency=KEY))
        with pytest.raises(NotStored):
            await first
        history.refusal = None
        assert (await second).tap is None
        assert len(history.begun) == 1


class TestRevival:
    """Passes the gate that a start passes."""

    async def test_waits_for_room_when_its_place_has_lapsed(
        self, here: Replica, there: Replica, told: Told, redis: Redis
    ) -> None:
        first, other = Caller(here, runs=1), Caller(there, runs=1)
        run_id = await first.start()
        await here.crash()
        [slots] = [key async for key in redis.scan_iter("gh:limits:*:slots")][:1]
        for key in [key async for key in redis.scan_iter("gh:limits:*:slots")]:
            await redis.delete(key)
        assert slots
        other.reservations.plans = other.plans
        second = await other.start()
        await asyncio.sleep(4 * LEASE)
        assert list(there.engine.local) == [second]
        with pytest.raises(LimitReached):
            await other.start()
        await there.engine.cancel(second)
        await until(lambda: list(there.engine.local) == [run_id])
        assert await other.left() == 0

    async def test_of_a_run_without_grace_does_nothing_but_end_it(
        self, here: Replica, there: Replica, told: Told
    ) -> None:
        run_id = (await here.start("/told", grace=0)).run.id
        told.tell(run_id, "a")
        await until(lambda: told.inputs)
        await here.crash()
        records = await seen(there.engine, run_id)
        assert last(records, "end")["status"] == "failed"
        assert len(told.inputs) == 1

    async def test_is_left_to_others_by_a_replica_that_drains(
        self, here: Replica, there: Replica, told: Told
    ) -> None:
        there.engine.drain.leave()
        run_id = (await here.start("/told")).run.id
        await until(lambda: told.inputs)
        await here.crash()
        await asyncio.sleep(4 * LEASE)
        assert there.engine.local == {}
        await there.engine.cancel(run_id)
        assert last(await seen(there.engine, run_id), "end")["status"] == "cancelled"


class TestRunnableThatOnlyTheDeadHad:
    async def test_is_ended_by_any_replica_at_its_deadline_or_on_cancel(
        self, replicas: Replicas, told: Told
    ) -> None:
        here = await replicas.open(deadline=2)
        runs = [(await here.start("/told", thread_id=name)).run.id for name in ("t1", "t2")]
        replicas.runnables = {"/words": Words()}
        older = await replicas.open()
        await until(lambda: len(told.inputs) == 2)
        await here.crash()
        await asyncio.sleep(1.2)
        await older.engine.cancel(runs[0])
        assert last(await seen(older.engine, runs[0]), "end")["status"] == "cancelled"
        assert last(await seen(older.engine, runs[1]), "error")["problem"]["status"] == 504
        await older.start("/words", {"n": 1}, thread_id="t2")

    async def test_keeps_no_sweep_from_those_behind_it(self, replicas: Replicas, told: Told) -> None:
        here = await replicas.open()
        for _ in range(120):
            await here.start("/told")
        behind = (await here.start("/words", {"n": 1, "pause": 30})).run.id
        replicas.runnables = {"/words": Words()}
        older = await replicas.open()
        await here.crash()
        await until(lambda: behind in older.engine.local, 20)


class TestRedisThatWasNotWell:
    async def test_leaves_the_owners_their_runs(
        self, cold: Replicas, frozen_redis: RedisServer, told: Told
    ) -> None:
        here, there = await cold.open(), await cold.open()
        run_id = (await here.start("/told")).run.id
        await until(lambda: told.inputs)
        for _ in range(2):
            freeze(frozen_redis)
            await asyncio.sleep(2.5 * LEASE)
            asking = [asyncio.create_task(there.engine.conductor.revive(run_id)) for _ in range(5)]
            thaw(frozen_redis)
            await asyncio.gather(*asking, return_exceptions=True)
            await asyncio.sleep(2 * LEASE)
        assert run_id in here.engine.local
        assert there.engine.local == {}
        assert len(told.inputs) == 1

    async def test_counts_no_attempt_as_lost_whose_process_is_alive(
        self, here: Replica, there: Replica, redis: Redis, told: Told
    ) -> None:
        run_id = (await here.start("/told")).run.id
        await until(lambda: told.inputs)
        await here.pause()
        await until(lambda: run_id in there.engine.local)
        here.wake()
        await until(lambda: run_id not in here.engine.local)
        run = await load(redis, run_id)
        assert run is not None
        assert (run.attempt, run.handovers) == (2, 1)


class TestTakeoverOfWhichRedisDidNotSay:
    async def test_is_gone_on_with(
        self, here: Replica, there: Replica, told: Told, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run_id = (await here.start("/told")).run.id
        await until(lambda: told.inputs)
        taken = there.engine.attempts.take

        async def unheard(*arguments: Any) -> int:
            number = await taken(*arguments)
            if number > 0:
                monkeypatch.setattr(there.engine.attempts, "take", taken)
                raise RedisGone("lost")
            return number

        monkeypatch.setattr(there.engine.attempts, "take", unheard)
        await here.crash()
        await until(lambda: run_id in there.engine.local)
        assert there.engine.local[run_id].run.attempt == 2


class TestZombie:
    async def test_renews_nothing_of_a_run_that_has_ended(
        self, here: Replica, there: Replica, told: Told, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def slow(*_arguments: Any) -> None:
            await asyncio.sleep(10 * LEASE)

        first, other = Caller(here, runs=1), Caller(there, runs=1)
        run_id = await first.start()
        await until(lambda: told.inputs)
        monkeypatch.setattr(here.engine.attempts, "excuse", slow)  # it takes its time to go
        await here.pause()
        await until(lambda: run_id in there.engine.local)
        await there.engine.cancel(run_id)
        await until(lambda: run_id not in there.engine.local)
        here.wake()
        await until(lambda: here.engine.local[run_id].stop == "lost")
        await asyncio.sleep(LEASE)
        assert await other.left() == 1

    async def test_that_hears_late_of_its_lease_renews_nothing(
        self, here: Replica, there: Replica, told: Told, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        renew, renewed, ended = here.engine.attempts.renew, asyncio.Event(), asyncio.Event()

        async def heard_late(*arguments: Any) -> Renewed:
            answer = await renew(*arguments)
            renewed.set()
            await ended.wait()
            return answer

        first, other = Caller(here, runs=1), Caller(there, runs=1)
        run_id = await first.start()
        monkeypatch.setattr(here.engine.attempts, "renew", heard_late)
        await renewed.wait()
        await until(lambda: run_id in there.engine.local)
        await there.engine.cancel(run_id)
        await until(lambda: run_id not in there.engine.local)
        monkeypatch.setattr(here.engine.attempts, "renew", renew)
        ended.set()
        await until(lambda: run_id not in here.engine.local)
        assert await other.left() == 1
