"""The run log in Redis: what is appended, when, and what is refused."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import ResponseError
from run_replicas import stopped, until
from structlog.typing import EventDict

from gatehouse.runs import replies
from gatehouse.runs.events import BEGINNING, Cursor, End, Record, Token, record
from gatehouse.runs.log.dense import packed
from gatehouse.runs.log.log import (
    ENTRY_RECORDS,
    FLUSH_EVENTS,
    MAX_PENDING,
    LogWriter,
    RunLog,
    log_key,
    reraise_cancellation,
)

RUN = "0198c0de-0000-7000-8000-000000000001"
OTHER = "0198c0de-0000-7000-8000-000000000002"


def a_token(sequence: int, attempt: int = 1) -> Record:
    return record(Cursor(attempt, sequence), Token(f"{sequence}"))


def tokens(first: int, last: int) -> list[Record]:
    return [a_token(sequence) for sequence in range(first, last + 1)]


class Writing:
    """A writer at work, and what it lost."""

    def __init__(self, redis: Redis) -> None:
        self.lost: list[tuple[str, int]] = []
        self.writer = LogWriter(redis, lambda run_id, attempt: self.lost.append((run_id, attempt)))
        self.task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self.task = asyncio.create_task(self.writer.run())

    def add(self, *records: Record, run_id: str = RUN) -> None:
        for item in records:
            self.writer.add(run_id, item)


@pytest.fixture
async def writing(redis: Redis) -> AsyncIterator[Writing]:
    """A writer over a store that has the empty logs of two runs."""
    for run_id in (RUN, OTHER):
        await redis.xadd(log_key(run_id), {"records": ""}, id="0-1", maxlen=0, approximate=False)
    writing = Writing(redis)
    writing.begin()
    yield writing
    assert writing.task is not None
    await stopped({writing.task})


class TestPacked:
    @given(st.lists(st.text(), min_size=1, max_size=20), st.integers(1, 50), st.integers(1, 9))
    def test_is_unpacked_as_it_was(self, texts: list[str], first: int, attempt: int) -> None:
        items = [record(Cursor(attempt, at), Token(text)) for at, text in enumerate(texts, first)]
        entry = (str(items[-1].cursor).encode(), {b"records": packed(items)})
        assert replies.records([entry]) == items


class TestAppend:
    async def test_keeps_records_as_they_are(self, redis: Redis, writing: Writing) -> None:
        items = [*tokens(1, 5), record(Cursor(1, 6), End(status="completed"))]
        writing.add(*items)
        await writing.writer.flushed()
        assert await RunLog(redis).after(RUN, BEGINNING) == items
        assert await RunLog(redis).last(RUN) == Cursor(1, 6)

    async def test_gives_entries_the_ids_of_their_last_records(self, redis: Redis, writing: Writing) -> None:
        writing.add(*tokens(1, 5))
        await writing.writer.flushed()
        assert [entry_id for entry_id, _ in await redis.xrange(log_key(RUN)) or ()] == [b"1-5"]

    async def test_takes_the_records_of_a_burst_together(self, redis: Redis, writing: Writing) -> None:
        for item in tokens(1, 100):
            writing.add(item)
            await asyncio.sleep(0.0005)
        await writing.writer.flushed()
        assert 1 < await redis.xlen(log_key(RUN)) < 50

    async def test_gathers_what_comes_within_a_moment(
        self, redis: Redis, writing: Writing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gatehouse.runs.log.log.FLUSH_SECONDS", 0.5)
        writing.add(a_token(1))
        await asyncio.sleep(0.01)
        writing.add(a_token(2))
        await until(lambda: written(redis, 2), 5)
        assert await redis.xlen(log_key(RUN)) == 1

    async def test_does_not_wait_when_there_are_many(
        self, redis: Redis, writing: Writing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gatehouse.runs.log.log.FLUSH_SECONDS", 60)
        writing.add(*tokens(1, FLUSH_EVENTS))
        await until(lambda: written(redis, FLUSH_EVENTS), 2)

    async def test_splits_what_is_too_much_for_an_entry(self, redis: Redis, writing: Writing) -> None:
        count = 2 * ENTRY_RECORDS + 10
        writing.add(*tokens(1, count))
        await writing.writer.flushed()
        assert await redis.xlen(log_key(RUN)) == 3
        assert await RunLog(redis).after(RUN, BEGINNING) == tokens(1, count)

    async def test_keeps_runs_apart(self, redis: Redis, writing: Writing) -> None:
        for sequence in range(1, 20):
            writing.add(a_token(sequence))
            writing.add(a_token(sequence), run_id=OTHER)
        await writing.writer.flushed()
        for run_id in (RUN, OTHER):
            assert await RunLog(redis).after(run_id, BEGINNING) == tokens(1, 19)
        assert writing.lost == []


class TestTaken:
    async def test_are_what_nobody_appends_any_more(self, redis: Redis, writing: Writing) -> None:
        writing.add(*tokens(1, 5))
        writing.add(a_token(1), run_id=OTHER)
        assert await writing.writer.taken(RUN, 1) == tokens(1, 5)
        assert writing.writer.pending == 1
        await writing.writer.flushed()
        assert await RunLog(redis).after(RUN, BEGINNING) == []
        assert await RunLog(redis).after(OTHER, BEGINNING) == [a_token(1)]

    async def test_are_not_those_on_their_way(
        self, redis: Redis, writing: Writing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gatehouse.runs.log.log.FLUSH_SECONDS", 0.0)
        writing.add(*tokens(1, 5))
        await until(lambda: not writing.writer.pending)
        writing.add(*tokens(6, 9))
        left = await writing.writer.taken(RUN, 1)
        assert await RunLog(redis).after(RUN, BEGINNING) + left == tokens(1, 9)

    async def test_fit_an_entry(self, redis: Redis, writing: Writing) -> None:
        writing.add(*tokens(1, ENTRY_RECORDS))
        assert await writing.writer.taken(RUN, 1) == []
        assert await RunLog(redis).after(RUN, BEGINNING) == tokens(1, ENTRY_RECORDS)


class TestAfter:
    async def test_begins_in_the_middle_of_an_entry(self, redis: Redis, writing: Writing) -> None:
        writing.add(*tokens(1, 10))
        await writing.writer.flushed()
        for sequence in range(11):
            assert await RunLog(redis).after(RUN, Cursor(1, sequence)) == tokens(sequence + 1, 10)

    async def test_returns_at_most_some_entries(self, redis: Redis, writing: Writing) -> None:
        for sequence in range(1, 4):
            writing.add(a_token(sequence))
            await writing.writer.flushed()
        assert await RunLog(redis).after(RUN, BEGINNING, entries=2) == tokens(1, 2)

    async def test_of_a_log_that_is_not_there_is_nothing(self, redis: Redis) -> None:
        assert await RunLog(redis).after(RUN, BEGINNING) == []
        assert await RunLog(redis).last(RUN) is None


class TestRefusal:
    async def test_of_a_run_that_was_taken_over_is_its_loss(self, redis: Redis, writing: Writing) -> None:
        await redis.xadd(log_key(RUN), {"records": packed([a_token(1, 2)])}, id="2-1")
        writing.add(a_token(7))
        writing.add(a_token(1), run_id=OTHER)
        await writing.writer.flushed()
        assert writing.lost == [(RUN, 1)]
        assert await RunLog(redis).after(RUN, BEGINNING) == [a_token(1, 2)]
        assert await RunLog(redis).after(OTHER, BEGINNING) == [a_token(1)]

    async def test_of_a_run_that_was_erased_is_its_loss_too(self, redis: Redis, writing: Writing) -> None:
        await redis.delete(log_key(RUN))
        writing.add(a_token(7))
        await writing.writer.flushed()
        assert writing.lost == [(RUN, 1)]
        assert await redis.exists(log_key(RUN)) == 0

    async def test_of_what_an_interrupted_write_had_appended_is_no_loss(
        self, redis: Redis, writing: Writing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The connection may break between the command and its reply: the records are then sent again."""
        breaks(writing, monkeypatch, after=True)
        writing.add(*tokens(1, 3))
        await writing.writer.flushed()
        writing.add(*tokens(4, 5))
        await writing.writer.flushed()
        assert writing.lost == []
        assert await RunLog(redis).after(RUN, BEGINNING) == tokens(1, 5)

    async def test_is_judged_again_when_the_judge_is_interrupted(
        self, redis: Redis, writing: Writing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await redis.xadd(log_key(RUN), {"records": packed([a_token(1, 2)])}, id="2-1")
        last, calls = RunLog.last, []

        async def breaking(self: RunLog, run_id: str) -> Cursor | None:
            calls.append(run_id)
            if len(calls) == 1:
                raise Disconnected("gone")
            return await last(self, run_id)

        monkeypatch.setattr(RunLog, "last", breaking)
        writing.add(a_token(7))
        await writing.writer.flushed()
        assert len(calls) == 2
        assert writing.lost == [(RUN, 1)]

    async def test_for_another_reason_is_no_loss(
        self, redis: Redis, writing: Writing, monkeypatch: pytest.MonkeyPatch, logs: list[EventDict]
    ) -> None:
        """Out of memory, for one: the records wait until Redis takes them."""
        breaks(writing, monkeypatch, after=False, error=ResponseError("OOM command not allowed"))
        writing.add(*tokens(1, 3))
        await writing.writer.flushed()
        assert writing.lost == []
        assert await RunLog(redis).after(RUN, BEGINNING) == tokens(1, 3)
        assert [entry["event"] for entry in logs] == ["run log cannot be written"]

    async def test_by_a_key_of_another_kind_is_no_loss(self, redis: Redis, writing: Writing) -> None:
        await redis.set(log_key(RUN), "not a stream")
        writing.add(a_token(1))
        await asyncio.sleep(0.1)
        assert writing.lost == []
        await redis.delete(log_key(RUN))
        await redis.xadd(log_key(RUN), {"records": ""}, id="0-1", maxlen=0, approximate=False)
        await writing.writer.flushed()
        assert await RunLog(redis).after(RUN, BEGINNING) == tokens(1, 1)


class TestInterruptedWrite:
    async def test_is_made_again(
        self, redis: Redis, writing: Writing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        breaks(writing, monkeypatch, after=False)
        writing.add(*tokens(1, 3))
        await asyncio.sleep(0.05)
        writing.add(*tokens(4, 6))
        await writing.writer.flushed()
        assert await RunLog(redis).after(RUN, BEGINNING) == tokens(1, 6)


class TestFlushed:
    async def test_returns_although_more_is_added_all_the_time(self, writing: Writing) -> None:
        """Trimming waits for it between two renewals of the leases."""
        sequence = 0

        async def produce() -> None:
            nonlocal sequence
            while True:
                sequence += 1
                writing.add(a_token(sequence))
                await asyncio.sleep(0)

        producer = asyncio.create_task(produce())
        await asyncio.sleep(0.05)
        await asyncio.wait_for(writing.writer.flushed(), 1)
        await stopped({producer})

    async def test_covers_what_was_added_before(self, redis: Redis, writing: Writing) -> None:
        writing.add(a_token(1))
        await asyncio.sleep(0)
        writing.add(*tokens(2, 9))
        await writing.writer.flushed()
        assert await RunLog(redis).last(RUN) == Cursor(1, 9)

    async def test_returns_at_once_when_there_is_nothing(self, writing: Writing) -> None:
        await asyncio.wait_for(writing.writer.flushed(), 0.5)
        writing.add(a_token(1))
        await writing.writer.flushed()
        await asyncio.wait_for(writing.writer.flushed(), 0.5)


class TestRoom:
    async def test_is_none_while_redis_does_not_keep_up(self, redis: Redis) -> None:
        await redis.xadd(log_key(RUN), {"records": ""}, id="0-1", maxlen=0, approximate=False)
        writing = Writing(redis)
        writing.add(*tokens(1, MAX_PENDING))
        assert writing.writer.congested
        waiting = asyncio.create_task(writing.writer.room())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        writing.begin()
        await asyncio.wait_for(waiting, 5)
        assert not writing.writer.congested
        await writing.writer.flushed()
        assert await RunLog(redis).last(RUN) == Cursor(1, MAX_PENDING)
        assert writing.task is not None
        await stopped({writing.task})


class TestStreams:
    """Both protocols of Redis, since a redis:// URL may ask for either."""

    ENTRIES = [(b"1-1", {b"records": b"token {}"})]

    @pytest.mark.parametrize("reply", [[[b"key", ENTRIES]], {b"key": [ENTRIES]}])
    def test_are_keys_and_entries(self, reply: Any) -> None:
        assert replies.streams(reply) == [("key", self.ENTRIES)]

    @pytest.mark.parametrize("reply", [None, [], {}])
    def test_may_be_none(self, reply: Any) -> None:
        assert replies.streams(reply) == []


class TestReraiseCancellation:
    async def test_raises_in_a_cancelled_task_alone(self) -> None:
        reraise_cancellation()

        async def swallowing() -> None:
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                reraise_cancellation()

        task = asyncio.create_task(swallowing())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()


async def written(redis: Redis, count: int) -> bool:
    return await RunLog(redis).last(RUN) == Cursor(1, count)


def breaks(
    writing: Writing, monkeypatch: pytest.MonkeyPatch, *, after: bool, error: Exception | None = None
) -> None:
    """Have the next append fail, before or after Redis has done it."""
    monkeypatch.setattr("gatehouse.runs.log.log.RETRY_SECONDS", 0.02)
    append = writing.writer._append
    failed: list[bool] = []

    async def failing(keys: Any, arguments: Any) -> Any:
        if failed:
            return await append(keys, arguments)
        failed.append(True)
        if after:
            await append(keys, arguments)
        raise error or Disconnected("gone")

    monkeypatch.setattr(writing.writer, "_append", failing)


async def test_what_is_taken_to_be_appended_with_the_end_waits_for_what_is_being_written(
    redis: Redis, writing: Writing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An end that overtook it would have Redis refuse it."""
    append, begun, go_on = writing.writer._append, asyncio.Event(), asyncio.Event()

    async def slow(*arguments: Any) -> Any:
        begun.set()
        await go_on.wait()
        return await append(*arguments)

    monkeypatch.setattr(writing.writer, "_append", slow)
    writing.add(a_token(1))
    await begun.wait()
    writing.add(a_token(2))
    taking = asyncio.create_task(writing.writer.taken(RUN, 1))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not taking.done()
    go_on.set()
    assert await taking == [a_token(2)]
    assert await RunLog(redis).after(RUN, BEGINNING) == [a_token(1)]
