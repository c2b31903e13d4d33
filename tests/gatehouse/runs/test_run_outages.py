"""What a Redis that goes away for a moment costs: no event, and no event twice."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from live_redis import RedisServer
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisGone
from run_replicas import ALICE, Conversations, Replicas, client_of, until
from run_runnables import Told, Words
from run_viewers import Viewer, assembled, assert_dense, last, seen, types

from gatehouse.problems.errors import NotFound
from gatehouse.runs.answers import ANSWERS, kept_answer, parsed_answer
from gatehouse.runs.conversation.history import HistoryAway
from gatehouse.runs.events import Event, Token, ToolEnd, ToolStart
from gatehouse.runs.records import RunRecord
from gatehouse.runs.tending import Tending


@pytest.fixture
def lasting_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of the test's own, which can be stopped and keeps its data."""
    server = RedisServer(tmp_path, "--save", "", "--appendonly", "yes", "--appendfsync", "always")
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def shaken(lasting_redis: RedisServer, told: Told, history: Conversations) -> AsyncIterator[Replicas]:
    """Replicas over that Redis."""
    runnables = {"/words": Words(), "/told": told}
    opened = Replicas(lambda: client_of(lasting_redis.url), runnables, history=history)
    yield opened
    await opened.close()


WORDS = "".join(f"w{i} " for i in range(300))


class TestBrokenConnections:
    async def test_cost_no_event(self, shaken: Replicas) -> None:
        here, there = await shaken.open(lease=5), await shaken.open(lease=5)
        run = (await here.start("/words", {"n": 300, "pause": 0.003})).run
        viewers = [Viewer(replica.engine, run.id) for replica in (here, there)]
        async with Redis.from_url(str(lasting_url(here.redis))) as breaker:
            broken = 0
            while run.id in here.engine.local:
                broken += await breaker.client_kill_filter(_type="normal", skipme=True)
                await asyncio.sleep(0.2)
        assert broken > 5
        for viewer in viewers:
            records = await viewer.end()
            assert_dense(records)
            assert types(records) == ["start", *["token"] * 300, "complete", "end"]
            assert assembled(records) == last(records, "complete")["content"] == WORDS
        assert await seen(there.engine, run.id) == viewers[0].records


class TestRestartOfRedis:
    async def test_costs_no_event(
        self, shaken: Replicas, lasting_redis: RedisServer, history: Conversations
    ) -> None:
        here, there = await shaken.open(lease=5), await shaken.open(lease=5)
        run = (await here.start("/words", {"n": 300, "pause": 0.004}, thread_id="t1")).run
        viewers = [Viewer(replica.engine, run.id) for replica in (here, there)]
        for viewer in viewers:
            await viewer.tokens(20)
        await asyncio.to_thread(lasting_redis.stop)
        await asyncio.sleep(0.3)
        await asyncio.to_thread(lasting_redis.start)
        for viewer in viewers:
            records = await viewer.end()
            assert_dense(records)
            assert types(records) == ["start", *["token"] * 300, "complete", "end"]
        assert await seen(there.engine, run.id) == viewers[0].records
        assert len(history.kept) == 1

    async def test_longer_than_the_lease_shows_nothing_while_it_is_in_doubt(
        self, shaken: Replicas, lasting_redis: RedisServer, told: Told
    ) -> None:
        here = await shaken.open(lease=0.6)
        run = (await here.start("/told")).run
        viewer = Viewer(here.engine, run.id)
        told.tell(run.id, "a")
        await viewer.tokens(1)
        assert lasting_redis.process is not None
        os.kill(lasting_redis.process.pid, signal.SIGSTOP)
        await asyncio.sleep(0.8)
        told.tell(run.id, "b")
        await asyncio.sleep(0.1)
        assert viewer.types == ["start", "token"]
        os.kill(lasting_redis.process.pid, signal.SIGCONT)
        told.end(run.id)
        records = await viewer.end()
        assert_dense(records)
        assert assembled(records) == "ab"
        assert await seen(here.engine, run.id) == records


class TestClose:
    async def test_does_not_wait_for_a_redis_that_is_gone(
        self, shaken: Replicas, lasting_redis: RedisServer, told: Told, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gatehouse.runs.lifecycle.conducting.CLOSE_SECONDS", 0.3)
        here = await shaken.open()
        run = (await here.start("/told")).run
        told.tell(run.id, "a")
        await Viewer(here.engine, run.id).tokens(1)
        await asyncio.to_thread(lasting_redis.stop)
        told.tell(run.id, "b")
        began = time.monotonic()
        await here.engine.conductor.close()
        assert time.monotonic() - began < 2
        assert here.engine.local == {}


class TestEnd:
    async def test_waits_for_redis(
        self, shaken: Replicas, lasting_redis: RedisServer, told: Told, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        here = await shaken.open(lease=10)
        run = (await here.start("/told")).run
        viewer = Viewer(here.engine, run.id)
        told.tell(run.id, "a")
        await viewer.tokens(1)
        await here.flushed()
        await asyncio.to_thread(lasting_redis.stop)
        told.end(run.id)
        await asyncio.sleep(0.3)
        assert run.id in here.engine.local
        assert "complete" not in viewer.types
        await asyncio.to_thread(lasting_redis.start)
        assert types(await viewer.end()) == ["start", "token", "complete", "end"]
        await until(lambda: not here.engine.local)


def lasting_url(redis: Redis) -> str:
    options = redis.connection_pool.connection_kwargs
    return f"redis://{options['host']}:{options['port']}"


class TestRedisWithoutItsData:
    async def test_is_told_to_the_viewers_of_the_runs_that_it_lost(
        self, shaken: Replicas, told: Told
    ) -> None:
        here, there = await shaken.open(lease=1), await shaken.open(lease=1)
        run = (await here.start("/told")).run
        told.tell(run.id, "a")
        viewers = [Viewer(replica.engine, run.id) for replica in (here, there)]
        for viewer in viewers:
            await viewer.tokens(1)
        await here.redis.flushall()
        for viewer in viewers:
            with pytest.raises(NotFound):
                await viewer.end()
        await until(lambda: not here.engine.local)


class TestAfterAnOutage:
    async def test_owners_come_before_those_who_look_for_orphans(
        self, shaken: Replicas, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        here = await shaken.open(lease=30)
        looks: list[float] = []

        async def redis_time() -> float:
            looks.append(time.monotonic())
            raise RedisGone("away")

        tending = Tending(here.engine)
        tending.settings = replace(tending.settings, lease=0.4)
        monkeypatch.setattr(tending, "redis_time", redis_time)
        sweeping = asyncio.create_task(tending.sweep())
        await until(lambda: len(looks) == 3)
        sweeping.cancel()
        assert looks[1] - looks[0] >= 0.4 * 1.5

    async def test_a_run_with_viewers_elsewhere_is_not_taken_for_an_orphan(
        self, shaken: Replicas, told: Told, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        here = await shaken.open(lease=30)
        run = (await here.start("/told", grace=1)).run
        tending = Tending(here.engine)
        tending.settings = replace(tending.settings, lease=0.2)
        here.engine.local[run.id].alone_since = time.monotonic() - 60

        async def away() -> float:
            raise RedisGone("away")

        with monkeypatch.context() as patch:
            patch.setattr(tending, "well", away)
            await one_beat(tending)
        tending.settings = replace(tending.settings, lease=30)
        await tending._stop_orphans(0.0)
        assert here.engine.local[run.id].stop is None
        tending._unsure_until = 0.0
        await tending._stop_orphans(0.0)
        assert here.engine.local[run.id].stop == "cancelled"

    async def test_that_delayed_a_beat_counts_as_one(self, shaken: Replicas) -> None:
        here = await shaken.open(lease=30)
        tending = Tending(here.engine)
        tending.settings = replace(tending.settings, lease=0.2)

        async def late() -> float:
            await asyncio.sleep(0.2)
            return time.time()

        tending.well = late  # type: ignore[method-assign]
        await one_beat(tending)
        assert tending._unsure_until > time.monotonic()


class TestThreadsAway:
    async def test_are_waited_for_with_the_answer(self, shaken: Replicas, history: Conversations) -> None:
        here = await shaken.open(lease=30)
        history.failure = HistoryAway()
        run = (await here.start("/words", {"n": 2}, thread_id="t1")).run
        viewer = await Viewer(here.engine, run.id).tokens(2)
        await asyncio.sleep(0.6)
        assert "end" not in viewer.types
        history.failure = None
        assert last(await viewer.end(), "end")["status"] == "completed"
        assert [kept.id for kept, _ in history.kept] == [run.id]

    async def test_are_not_waited_for_without_end(
        self, shaken: Replicas, history: Conversations, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gatehouse.runs.lifecycle.keeping.KEEP_SECONDS", 0.1)
        here = await shaken.open(lease=30)
        history.failure = HistoryAway()
        run = (await here.start("/words", {"n": 2}, thread_id="t1")).run
        assert last(await seen(here.engine, run.id), "end")["status"] == "completed"

    async def test_get_their_answers_when_they_are_back_however_long_that_takes(
        self, shaken: Replicas, history: Conversations, told: Told, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gatehouse.runs.lifecycle.keeping.KEEP_SECONDS", 0.1)
        monkeypatch.setattr("gatehouse.runs.lifecycle.keeping.LATE_PAUSE", 0.1)
        here = await shaken.open(lease=30)
        history.failure = HistoryAway()
        run = (await here.start("/words", {"n": 2}, thread_id="t1")).run
        gone = (await here.start("/words", {"n": 2}, thread_id="t2")).run
        for one in (run, gone):
            await seen(here.engine, one.id)
        await here.engine.erase([gone.id])
        await here.close()  # its process does not live to see it
        there = await shaken.open(lease=30)
        await asyncio.sleep(0.3)
        assert history.kept == []
        history.failure = None
        await until(lambda: history.kept)
        [(kept, _)] = history.kept
        assert (kept.id, kept.text, kept.state, kept.principal) == (
            run.id,
            "w0 w1 ",
            "completed",
            run.principal,
        )
        await until(lambda: is_empty(there.redis, ANSWERS))
        assert len(history.kept) == 1  # none of the run that was erased

    async def test_have_the_answers_that_waited_before_the_next_question(
        self, shaken: Replicas, history: Conversations, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gatehouse.runs.lifecycle.keeping.KEEP_SECONDS", 0.1)
        monkeypatch.setattr("gatehouse.runs.lifecycle.keeping.LATE_PAUSE", 60)
        here = await shaken.open(lease=30)
        history.failure = HistoryAway()
        first = (await here.start("/words", {"n": 2}, thread_id="t1")).run
        await seen(here.engine, first.id)
        history.failure = None
        second = (await here.start("/words", {"n": 1}, thread_id="t1")).run
        await seen(here.engine, second.id)
        assert [kept.id for kept, _ in history.kept] == [first.id, second.id]

    def test_get_the_tool_steps_too(self) -> None:
        run = RunRecord("r", ALICE, "/told", {}, "t", 1.0, 2.0, 30.0, state="completed", text="a\u2028é")
        steps: list[Event] = [
            ToolStart(content="", tool="add", call_id="c", input={"a": 1}),
            ToolEnd(content="", tool="add", call_id="c", output="2", is_error=False),
        ]
        assert parsed_answer(kept_answer(run, [*steps, Token("x")])) == (run, steps)


async def is_empty(redis: Redis, key: str) -> bool:
    return not await redis.exists(key)


async def one_beat(tending: Tending) -> None:
    """Let the process tend its runs once."""
    beating = asyncio.create_task(tending.beat())
    await until(lambda: tending._unsure_until > 0)
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)
