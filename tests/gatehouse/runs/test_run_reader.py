"""The one reader of a process: what its viewers see of runs elsewhere, and what other processes ask of it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as Disconnected
from run_replicas import stopped, until
from structlog.typing import EventDict

from gatehouse.runs.events import BEGINNING, Cursor, Record, Token, record
from gatehouse.runs.log.dense import packed
from gatehouse.runs.log.log import log_key
from gatehouse.runs.log.reader import LogReader

RUN = "0198c0de-0000-7000-8000-000000000001"
OWNER = "0198c0de-0000-7000-8000-00000000000a"


def a_token(sequence: int, attempt: int = 1) -> Record:
    return record(Cursor(attempt, sequence), Token(f"{sequence}"))


async def append(redis: Redis, *records: Record, run_id: str = RUN) -> None:
    await redis.xadd(log_key(run_id), {"records": packed(records)}, id=str(records[-1].cursor))


class Reading:
    def __init__(self, redis: Redis) -> None:
        self.cancelled: list[str] = []
        self.reader = LogReader(redis, OWNER, 100, self.cancelled.append)
        self.task = asyncio.create_task(self.reader.run())


@pytest.fixture
async def reading(redis: Redis) -> AsyncIterator[Reading]:
    reading = Reading(redis)
    await asyncio.sleep(0.02)  # its XREAD blocks, and knows of no run
    yield reading
    await stopped({reading.task})


class TestFollowing:
    async def test_sees_what_comes_after_at_once(self, redis: Redis, reading: Reading) -> None:
        await append(redis, a_token(1))
        async with reading.reader.following(RUN) as feed:
            assert feed.base == Cursor(1, 1)
            await append(redis, a_token(2), a_token(3))
            seconds = await until(lambda: feed.top == Cursor(1, 3))
        assert seconds < 0.5  # less than the block of the XREAD

    async def test_begins_at_the_beginning_of_an_empty_log(self, redis: Redis, reading: Reading) -> None:
        async with reading.reader.following(RUN) as feed:
            assert feed.base == BEGINNING
            await append(redis, a_token(1))
            await until(lambda: feed.top == Cursor(1, 1))

    async def test_shares_a_feed_between_viewers(self, redis: Redis, reading: Reading) -> None:
        async with reading.reader.following(RUN) as one:
            async with reading.reader.following(RUN) as other:
                assert one is other
            await append(redis, a_token(1))
            await until(lambda: one.top == Cursor(1, 1))
        assert reading.reader.mirrors == {}

    async def test_is_not_let_go_while_another_viewer_is_coming(self, redis: Redis, reading: Reading) -> None:
        """The first viewer is held up on its way, a second one comes and goes meanwhile."""
        held, go_on = asyncio.Event(), asyncio.Event()
        tell = reading.reader.tell

        async def slow(owner: str, what: str, run_id: str) -> None:
            held.set()
            await go_on.wait()
            await tell(owner, what, run_id)

        reading.reader.tell = slow  # type: ignore[method-assign]

        async def first() -> None:
            async with reading.reader.following(RUN) as feed:
                await until(lambda: feed.top == Cursor(1, 1))

        coming = asyncio.create_task(first())
        await held.wait()
        async with reading.reader.following(RUN):
            pass
        go_on.set()
        await asyncio.sleep(0.05)
        await append(redis, a_token(1))
        await asyncio.wait_for(coming, 5)

    async def test_asks_once_for_many_runs(self, redis: Redis, reading: Reading, monkeypatch: Any) -> None:
        run_ids = [f"0198c0de-0000-7000-8000-{number:012}" for number in range(50)]
        calls = []
        xread = redis.xread

        async def counted(streams: Any, **options: Any) -> Any:
            calls.append(len(streams))
            return await xread(streams, **options)

        monkeypatch.setattr(redis, "xread", counted)
        feeds = []
        contexts = [reading.reader.following(run_id) for run_id in run_ids]
        for context in contexts:
            feeds.append(await context.__aenter__())  # one after the other
        for run_id in run_ids:
            await append(redis, a_token(1), run_id=run_id)
        await until(lambda: all(feed.top == Cursor(1, 1) for feed in feeds))
        assert max(calls) == 51
        for context in contexts:
            await context.__aexit__(None, None, None)
        assert reading.reader.mirrors == {}

    async def test_shows_a_hole_that_the_log_has(self, redis: Redis, reading: Reading) -> None:
        """A reader that was held up finds the log trimmed past what it read last."""
        await append(redis, a_token(1))
        async with reading.reader.following(RUN) as feed:
            await append(redis, a_token(7), a_token(8))
            await until(lambda: feed.top == Cursor(1, 8))
            assert feed.base == Cursor(1, 6)
            assert feed.after(feed.base) == [a_token(7), a_token(8)]

    async def test_lets_go_when_it_cannot_begin(self, reading: Reading) -> None:
        async def failing(owner: str, what: str, run_id: str) -> None:
            raise Disconnected("gone")

        reading.reader.tell = failing  # type: ignore[method-assign]
        with pytest.raises(Disconnected):
            async with reading.reader.following(RUN):
                pass
        assert reading.reader.mirrors == {}


class TestMessages:
    async def test_are_heard_in_order_and_once(self, redis: Redis, reading: Reading) -> None:
        elsewhere = LogReader(redis, "another process", 100, lambda run_id: None)
        for number in range(5):
            await elsewhere.tell(OWNER, "cancel", f"run {number}")
        await elsewhere.tell(OWNER, "look", "run 9")
        await until(lambda: len(reading.cancelled) == 5)
        await asyncio.sleep(0.05)
        assert reading.cancelled == [f"run {number}" for number in range(5)]

    async def test_do_not_pile_up(self, redis: Redis, reading: Reading) -> None:
        await reading.reader.tell(OWNER, "cancel", RUN)
        assert 0 < await redis.ttl(f"gh:process:{OWNER}") <= 3600


class TestOutage:
    async def test_is_read_over(
        self, redis: Redis, reading: Reading, monkeypatch: pytest.MonkeyPatch, logs: list[EventDict]
    ) -> None:
        monkeypatch.setattr("gatehouse.runs.log.reader.RETRY_SECONDS", 0.02)
        xread = redis.xread
        failed: list[bool] = []

        async def failing(streams: Any, **options: Any) -> Any:
            if not failed:
                failed.append(True)
                raise Disconnected("gone")
            return await xread(streams, **options)

        async with reading.reader.following(RUN) as feed:
            monkeypatch.setattr(redis, "xread", failing)
            await append(redis, a_token(1))
            await append(redis, a_token(2))
            await until(lambda: feed.top == Cursor(1, 2))
            assert feed.after(BEGINNING) == [a_token(1), a_token(2)]
