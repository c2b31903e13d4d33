"""Long runs: what the log drops, and what a viewer is told instead."""

import asyncio

import pytest
from run_replicas import ALICE, LEASE, Replica, Replicas, until
from run_runnables import Told
from run_viewers import Viewer, assembled, assert_dense, data, last, seen, types

from gatehouse.runs.events import BEGINNING, Cursor
from gatehouse.runs.log.log import RunLog


@pytest.fixture
def lease() -> float:
    return 1.2


async def oldest(replica: Replica, run_id: str) -> Cursor:
    records = await RunLog(replica.redis).after(run_id, BEGINNING)
    return records[0].cursor


async def say(replica: Replica, told: Told, run_id: str, first: int, last: int) -> None:
    """Have these tokens said, each in an entry of its own."""
    for number in range(first, last + 1):
        told.tell(run_id, f"w{number} ")
        await until(lambda: len(replica.engine.local[run_id].text) == number)  # noqa: B023  # awaited here
        await replica.flushed()


def words(last: int) -> str:
    return "".join(f"w{number} " for number in range(1, last + 1))


async def trimmed(replica: Replica, run_id: str, above: Cursor = BEGINNING) -> None:
    async def cut() -> bool:
        return await oldest(replica, run_id) > max(above, Cursor(1, 1))

    await until(cut)


class TestLength:
    async def test_is_kept_about_as_it_is_set(self, replicas: Replicas, told: Told) -> None:
        here = await replicas.open(log_length=10)
        run = (await here.start("/told")).run
        await say(here, told, run.id, 1, 60)

        async def kept() -> int:
            return len(await RunLog(here.redis).after(run.id, BEGINNING))

        async def short() -> bool:
            return await kept() <= 13  # by count only when a quarter too many have gathered

        await until(short)
        assert await kept() >= 10

    async def test_is_left_alone_while_the_log_is_short(self, replicas: Replicas, told: Told) -> None:
        here = await replicas.open(log_length=10)
        run = (await here.start("/told")).run
        await say(here, told, run.id, 1, 9)
        await asyncio.sleep(0.5)
        assert await oldest(here, run.id) == Cursor(1, 1)


class TestAge:
    async def test_is_kept_too(self, replicas: Replicas, told: Told) -> None:
        here = await replicas.open(log_age=0.3)
        run = (await here.start("/told")).run
        await say(here, told, run.id, 1, 5)
        await asyncio.sleep(0.4)
        await say(here, told, run.id, 6, 7)
        await trimmed(here, run.id, Cursor(1, 4))
        assert await RunLog(here.redis).last(run.id) == Cursor(1, 8)


class TestGap:
    @pytest.mark.parametrize("viewing", ["here", "there"])
    @pytest.mark.parametrize("cursor", [BEGINNING, Cursor(1, 1), Cursor(1, 5)])
    async def test_stands_for_what_was_dropped(
        self, replicas: Replicas, told: Told, viewing: str, cursor: Cursor
    ) -> None:
        settings = {"log_length": 5, "feed_size": 3}
        here, there = await replicas.open(**settings), await replicas.open(**settings)
        run = (await here.start("/told")).run
        await say(here, told, run.id, 1, 30)
        await trimmed(there, run.id, Cursor(1, 10))
        first = await oldest(there, run.id)
        viewer = Viewer((here if viewing == "here" else there).engine, run.id, cursor)
        await viewer.until(lambda viewer: "gap" in viewer.types)
        await say(here, told, run.id, 31, 33)
        told.end(run.id)
        records = await viewer.end()
        assert_dense(records, cursor)
        assert types(records).count("gap") == 1
        gap = data(records[0])
        assert gap["requested"] == str(cursor)
        assert Cursor(*map(int, gap["oldest"].split("-"))) >= first
        assert gap["text"] == words(records[0].cursor.sequence - 1)
        assert assembled(records) == last(records, "complete")["content"] == words(33)

    async def test_is_not_told_to_those_who_saw_it_all(self, replicas: Replicas, told: Told) -> None:
        settings = {"log_length": 5, "feed_size": 3}
        here, there = await replicas.open(**settings), await replicas.open(**settings)
        run = (await here.start("/told")).run
        viewers = [Viewer(replica.engine, run.id) for replica in (here, there)]
        await say(here, told, run.id, 1, 40)
        await trimmed(here, run.id, Cursor(1, 20))
        told.end(run.id)
        for viewer in viewers:
            assert types(await viewer.end()) == ["start", *["token"] * 40, "complete", "end"]

    async def test_stands_for_it_after_the_end_too(self, replicas: Replicas, told: Told) -> None:
        here, there = await replicas.open(log_length=5), await replicas.open()
        run = (await here.start("/told")).run
        await say(here, told, run.id, 1, 30)
        await trimmed(here, run.id, Cursor(1, 10))
        told.end(run.id)
        await seen(here.engine, run.id, Cursor(1, 31))
        for replica in (here, there):
            records = await seen(replica.engine, run.id)
            assert types(records) == ["gap", "complete", "end"]
            assert assembled(records) == words(30)
            assert_dense(records)
            assert (await replica.engine.get(ALICE, run.id)).text == words(30)

    async def test_is_told_to_a_viewer_whose_reader_was_held_up(self, replicas: Replicas, told: Told) -> None:
        """The log may be trimmed past what a viewer's process has read."""
        here, there = await replicas.open(log_length=5), await replicas.open()
        run = (await here.start("/told")).run
        viewer = Viewer(there.engine, run.id)
        await say(here, told, run.id, 1, 2)
        await viewer.tokens(2)
        [reader] = [task for task in there.tasks if task.get_name() == "run log reader"]
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        await say(here, told, run.id, 3, 30)
        await trimmed(here, run.id, Cursor(1, 10))
        there.tasks.add(asyncio.create_task(there.engine.reader.run()))
        await viewer.until(lambda viewer: "gap" in viewer.types)
        told.end(run.id)
        records = await viewer.end()
        assert_dense(records)
        assert assembled(records) == words(30)

    async def test_tells_the_text_that_redis_has_lost(self, replicas: Replicas, told: Told) -> None:
        """One that failed over to a stale copy has neither the records nor the text that goes with them."""
        here, there = await replicas.open(lease=3), await replicas.open(lease=3)
        run = (await here.start("/told")).run
        await say(here, told, run.id, 1, 10)
        await here.redis.xtrim(f"gh:{{{run.id}}}:log", minid="1-6", approximate=False)
        viewer = Viewer(there.engine, run.id)
        await viewer.until(lambda viewer: bool(viewer.records))
        told.end(run.id)
        records = await viewer.end()
        assert types(records) == ["gap", "complete", "end"]
        assert_dense(records)
        assert assembled(records) == last(records, "complete")["content"] == words(10)


class TestAfterACrash:
    async def test_the_text_of_the_newer_attempt_is_told(self, replicas: Replicas, told: Told) -> None:
        settings = {"log_length": 5, "feed_size": 3, "lease": LEASE}
        here, there = await replicas.open(**settings), await replicas.open(**settings)
        run = (await here.start("/told")).run
        await say(here, told, run.id, 1, 20)
        await trimmed(there, run.id, Cursor(1, 10))
        await here.crash()
        await until(lambda: run.id in there.engine.local)
        for number in range(1, 31):
            told.tell(run.id, f"x{number} ", attempt=2)
            await asyncio.sleep(0.005)
            await there.flushed()
        await trimmed(there, run.id, Cursor(2, 10))
        told.end(run.id, attempt=2)
        for cursor in (BEGINNING, Cursor(1, 3), Cursor(1, 21), Cursor(2, 2)):
            records = await seen(there.engine, run.id, cursor)
            assert_dense(records, cursor)
            assert assembled(records) == last(records, "complete")["content"]
            assert last(records, "complete")["content"].startswith("x1 x2 ")

    async def test_a_process_that_wakes_up_saves_no_text_over_the_newer_attempts(
        self, replicas: Replicas, told: Told
    ) -> None:
        here, there = await replicas.open(log_length=5, lease=LEASE), await replicas.open(lease=LEASE)
        run = (await here.start("/told")).run
        await say(here, told, run.id, 1, 3)
        await here.pause()
        for number in range(4, 31):
            told.tell(run.id, f"w{number} ")
        await until(lambda: len(here.engine.local[run.id].text) == 30)
        await until(lambda: run.id in there.engine.local)
        here.wake()
        await until(lambda: run.id not in here.engine.local)
        assert (await there.engine.get(ALICE, run.id)).text == ""
        told.end(run.id, attempt=2)
        assert types(await seen(there.engine, run.id)) == [
            "start", *["token"] * 30, "restart", "complete", "end"
        ]  # fmt: skip
