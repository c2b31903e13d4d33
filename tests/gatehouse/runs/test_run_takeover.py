"""What becomes of a run when its process is killed, paused, or told to go."""

import asyncio
import time

import pytest
from redis.exceptions import ConnectionError as RedisGone
from run_replicas import ALICE, LEASE, Conversations, Replica, Replicas, until
from run_runnables import Told, Words
from run_viewers import Viewer, assembled, assert_dense, data, last, seen, types
from structlog.typing import EventDict

from gatehouse.problems.errors import Conflict
from gatehouse.runs.conversation.history import HistoryAway
from gatehouse.runs.events import Cursor
from gatehouse.runs.lifecycle.attempts import ACTIVE, lease_key
from gatehouse.runs.log.log import RunLog


@pytest.fixture
def lease() -> float:
    return LEASE


async def dead_run(replica: Replica, told: Told, text: str = "abc", **options: object) -> str:
    """Return the id of a run whose process was killed after this text."""
    run_id = (await replica.start("/told", {"input": "hello"}, **options)).run.id
    told.tell(run_id, *text)
    viewer = await Viewer(replica.engine, run_id).tokens(len(text))
    await replica.flushed()
    await viewer.leave()
    await replica.crash()
    return run_id


class TestCrash:
    async def test_is_noticed_by_a_sweep_and_told_to_viewers_elsewhere(
        self, here: Replica, there: Replica, told: Told
    ) -> None:
        run = (await here.start("/told", {"input": "hello"})).run
        viewer = Viewer(there.engine, run.id)
        told.tell(run.id, *"abc")
        await viewer.tokens(3)
        await here.crash()
        told.tell(run.id, *"xy", attempt=2)
        told.end(run.id, attempt=2)
        records = await viewer.end()
        assert types(records) == [
            "start", *["token"] * 3, "restart", *["token"] * 2, "complete", "end",
        ]  # fmt: skip
        assert_dense(records)
        assert last(records, "restart")["attempt"] == 2
        assert assembled(records) == last(records, "complete")["content"] == "xy"
        assert told.inputs == [{"input": "hello"}] * 2
        found = await there.engine.get(ALICE, run.id)
        assert (found.attempt, found.state, found.text) == (2, "completed", "xy")

    async def test_is_noticed_by_a_viewer_that_joins(self, replicas: Replicas, told: Told) -> None:
        here, there = await replicas.open(), await replicas.open()
        await there.stop_sweeping()  # so that no sweep is faster
        run_id = await dead_run(here, told)
        await lease_expired(there, run_id)
        viewer = Viewer(there.engine, run_id)
        await viewer.until(lambda viewer: "restart" in viewer.types)
        assert types(viewer.records) == ["start", "token", "token", "token", "restart"]
        assert_dense(viewer.records)

    @pytest.mark.parametrize("cursor", [Cursor(1, 1), Cursor(1, 3), Cursor(1, 4), Cursor(1, 9)])
    async def test_costs_no_event_of_the_first_attempt(
        self, here: Replica, there: Replica, told: Told, cursor: Cursor
    ) -> None:
        """Whoever joins the process that took over still gets what the dead one had said after the cursor."""
        run_id = await dead_run(here, told)
        told.tell(run_id, "x", attempt=2)
        told.end(run_id, attempt=2)
        await until(lambda: run_id in there.engine.local or told.closed)
        records = await seen(there.engine, run_id, cursor)
        rest = ["token"] * max(0, 4 - cursor.sequence)
        assert types(records) == [*rest, "restart", "token", "complete", "end"]
        assert_dense(records, cursor)

    async def test_while_a_viewer_was_ahead_of_the_log_repeats_nothing(
        self, here: Replica, there: Replica, told: Told
    ) -> None:
        """A viewer in the dead process may have seen what was never written to the log."""
        run = (await here.start("/told")).run
        viewer = Viewer(here.engine, run.id)
        told.tell(run.id, "a")
        await viewer.tokens(1)
        await here.flushed()
        await stop_writing(here)
        told.tell(run.id, *"bcd")
        await viewer.tokens(4)
        await viewer.leave()
        await here.crash()
        told.tell(run.id, *"xyz", attempt=2)
        told.end(run.id, attempt=2)
        records = await seen(there.engine, run.id, viewer.cursor)
        assert types(records) == ["restart", *["token"] * 3, "complete", "end"]
        assert_dense(records, viewer.cursor)

    async def test_too_often_fails_the_run(self, replicas: Replicas, told: Told) -> None:
        first, second, third = [await replicas.open(max_attempts=2) for _ in range(3)]
        await third.stop_sweeping()
        run_id = await dead_run(first, told)
        await until(lambda: len(told.inputs) == 2)
        await second.flushed()
        await second.crash()
        await lease_expired(third, run_id)
        records = await seen(third.engine, run_id)
        assert types(records) == ["start", *["token"] * 3, "restart", "restart", "error", "end"]
        assert last(records, "error")["content"] == "The run was lost too often. Start it again."
        assert last(records, "end")["status"] == "failed"
        assert len(told.inputs) == 2

    async def test_is_not_retried_where_one_attempt_is_all(self, replicas: Replicas, told: Told) -> None:
        here, there = await replicas.open(max_attempts=1), await replicas.open(max_attempts=1)
        run_id = await dead_run(here, told)
        records = await seen(there.engine, run_id)
        assert types(records)[-3:] == ["restart", "error", "end"]
        assert len(told.inputs) == 1

    async def test_past_the_deadline_fails_the_run(self, replicas: Replicas, told: Told) -> None:
        here, there = await replicas.open(deadline=1), await replicas.open()
        run_id = await dead_run(here, told)
        records = await seen(there.engine, run_id)
        assert last(records, "error")["problem"]["type"] == "urn:gatehouse:problem:deadline-exceeded"

    async def test_is_survived_at_a_replica_whose_clock_is_wrong(
        self, replicas: Replicas, told: Told, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        here, right = await replicas.open(), time.time
        monkeypatch.setattr(time, "time", lambda: right() + 600)
        there = await replicas.open()
        run_id = await dead_run(here, told)
        told.end(run_id, attempt=2)
        assert last(await seen(there.engine, run_id), "end")["status"] == "completed"

    async def test_of_a_run_that_was_being_cancelled_ends_it(
        self, here: Replica, there: Replica, told: Told
    ) -> None:
        run_id = await dead_run(here, told)
        await there.engine.cancel(run_id)  # its message goes to the dead process
        records = await seen(there.engine, run_id)
        assert types(records) == ["start", *["token"] * 3, "restart", "end"]
        assert last(records, "end")["status"] == "cancelled"
        assert len(told.inputs) == 1

    async def test_is_noticed_by_a_cancel(self, replicas: Replicas, told: Told) -> None:
        here, there = await replicas.open(), await replicas.open()
        await there.stop_sweeping()
        run_id = await dead_run(here, told)
        await lease_expired(there, run_id)
        await there.engine.cancel(run_id)
        assert last(await seen(there.engine, run_id), "end")["status"] == "cancelled"

    async def test_keeps_the_thread_until_the_run_has_ended(
        self, here: Replica, there: Replica, told: Told, history: Conversations
    ) -> None:
        run_id = await dead_run(here, told, thread_id="t1")
        with pytest.raises(Conflict):
            await there.start("/told", thread_id="t1")
        told.tell(run_id, "x", attempt=2)
        told.end(run_id, attempt=2)
        await seen(there.engine, run_id)
        assert [(kept.text, kept.attempt) for kept, _ in history.kept] == [("x", 2)]
        await there.start("/told", thread_id="t1")

    async def test_leaves_a_run_to_one_of_several_others(self, replicas: Replicas, told: Told) -> None:
        here, *others = [await replicas.open() for _ in range(4)]
        run_id = await dead_run(here, told)
        viewers = [Viewer(other.engine, run_id) for other in others]
        for viewer in viewers:
            await viewer.until(lambda viewer: "restart" in viewer.types)
        assert [run_id in other.engine.local for other in others].count(True) == 1
        assert len(told.inputs) == 2

    async def test_leaves_a_run_to_a_process_that_serves_its_runnable(
        self, replicas: Replicas, told: Told, logs: list[EventDict]
    ) -> None:
        """During a rolling update not every process has every runnable."""
        here = await replicas.open()
        replicas.runnables = {"/words": Words()}
        older = await replicas.open()
        run_id = await dead_run(here, told)
        viewer = Viewer(older.engine, run_id)
        await asyncio.sleep(2 * LEASE)
        replicas.runnables = {"/told": told}
        newer = await replicas.open()
        await until(lambda: run_id in newer.engine.local)
        told.end(run_id, attempt=2)
        assert_dense(await viewer.end())
        assert not [entry for entry in logs if entry["log_level"] == "error"]

    async def test_is_not_forgotten_by_a_process_that_goes_itself(
        self, replicas: Replicas, told: Told
    ) -> None:
        here, going = await replicas.open(), await replicas.open()
        run_id = await dead_run(here, told)
        going.engine.conductor.closing = True
        await asyncio.sleep(3 * LEASE)
        staying = await replicas.open()
        await until(lambda: run_id in staying.engine.local)


class TestPause:
    async def test_of_a_process_whose_run_was_taken_shows_and_writes_nothing_more(
        self, here: Replica, there: Replica, told: Told
    ) -> None:
        run = (await here.start("/told")).run
        local = Viewer(here.engine, run.id)
        told.tell(run.id, *"ab")
        await local.tokens(2)
        await here.pause()
        await until(lambda: run.id in there.engine.local)
        told.tell(run.id, *"cd")  # the first attempt does not know yet
        await asyncio.sleep(0.1)
        assert local.types == ["start", "token", "token"]
        here.wake()
        told.tell(run.id, *"xyz", attempt=2)
        told.end(run.id, attempt=2)
        records = await local.end()
        assert types(records) == ["start", "token", "token", "restart", *["token"] * 3, "complete", "end"]
        assert_dense(records)
        assert await seen(there.engine, run.id) == records
        assert run.id not in here.engine.local

    async def test_of_a_process_whose_writes_come_late_adds_nothing_to_the_newer_attempt(
        self, replicas: Replicas, there: Replica, told: Told
    ) -> None:
        """What was emitted while the lease was held, but is written after it was lost, is refused by Redis."""
        here = await replicas.open(lease=30)
        run = (await here.start("/told")).run
        told.tell(run.id, "a")
        await (await Viewer(here.engine, run.id).tokens(1)).leave()
        await here.flushed()
        await here.pause()
        await stop_writing(here)
        told.tell(run.id, *"bc")
        await until(lambda: here.engine.local[run.id].text == ["a", "b", "c"])
        await there.redis.delete(lease_key(run.id))
        await there.engine.conductor.revive(run.id)
        told.tell(run.id, "x", attempt=2)
        await Viewer(there.engine, run.id).tokens(2)
        go_on_writing(here)
        await until(lambda: run.id not in here.engine.local)
        told.end(run.id, attempt=2)
        records = await seen(here.engine, run.id)
        assert types(records) == ["start", "token", "restart", "token", "complete", "end"]
        assert assembled(records) == "x"

    async def test_that_nobody_noticed_goes_on_without_a_loss(self, replicas: Replicas, told: Told) -> None:
        here = await replicas.open()
        run = (await here.start("/told")).run
        viewer = Viewer(here.engine, run.id)
        told.tell(run.id, "a")
        await viewer.tokens(1)
        await here.pause()
        await lease_expired(here, run.id)
        told.tell(run.id, *"bc")
        await asyncio.sleep(0.1)
        assert viewer.types == ["start", "token"]
        here.wake()
        told.tell(run.id, "d")
        told.end(run.id)
        records = await viewer.end()
        assert assembled(records) == "abcd"
        assert_dense(records)
        assert await seen(here.engine, run.id) == records

    @pytest.mark.parametrize("ending", ["fails", "is cancelled"])
    async def test_in_which_the_run_ends_leaves_no_hole_before_the_end(
        self, replicas: Replicas, told: Told, ending: str
    ) -> None:
        here = await replicas.open()
        run = (await here.start("/told")).run
        viewer = Viewer(here.engine, run.id)
        told.tell(run.id, "a")
        await viewer.tokens(1)
        await here.pause()
        await lease_expired(here, run.id)
        told.tell(run.id, "b")
        await until(lambda: here.engine.local[run.id].text == ["a", "b"])
        if ending == "fails":
            told.tell(run.id, ValueError("no"))
        else:
            await here.engine.cancel(run.id)
        here.wake()
        records = await viewer.end()
        assert assembled(records) == "ab"
        assert_dense(records)
        assert await seen(here.engine, run.id) == records

    async def test_while_the_answer_is_kept_ends_the_run_but_once(
        self, here: Replica, there: Replica, told: Told, history: Conversations
    ) -> None:
        """A process that lost its run between the last token and the end must not store or end it."""
        run = (await here.start("/told", thread_id="t1")).run
        told.tell(run.id, "a")
        await Viewer(here.engine, run.id).tokens(1)
        await here.pause()
        await until(lambda: run.id in there.engine.local)
        told.end(run.id)
        await asyncio.sleep(0.1)
        assert history.kept == []
        here.wake()
        await until(lambda: run.id not in here.engine.local)
        told.tell(run.id, "x", attempt=2)
        told.end(run.id, attempt=2)
        assert assembled(await seen(here.engine, run.id)) == "x"
        assert [(kept.text, kept.attempt) for kept, _ in history.kept] == [("x", 2)]


class TestHandover:
    async def test_loses_no_token_and_is_taken_up_at_once(self, replicas: Replicas, told: Told) -> None:
        here, there = await replicas.open(lease=2), await replicas.open(lease=2)
        run = (await here.start("/told")).run
        viewer = Viewer(there.engine, run.id)
        told.tell(run.id, *"abc")
        await (await Viewer(here.engine, run.id).tokens(3)).leave()
        began = time.monotonic()
        await here.close()
        assert await there.redis.exists(lease_key(run.id)) == 0 or run.id in there.engine.local
        await viewer.until(lambda viewer: "restart" in viewer.types)
        assert time.monotonic() - began < 2  # a sweep comes twice a lease; a crash takes longer
        assert types(viewer.records) == ["start", *["token"] * 3, "restart"]
        told.tell(run.id, "x", attempt=2)
        told.end(run.id, attempt=2)
        assert_dense(await viewer.end())

    async def test_is_followed_by_the_viewers_of_the_process_that_goes(
        self, here: Replica, there: Replica, told: Told
    ) -> None:
        run = (await here.start("/told")).run
        viewer = Viewer(here.engine, run.id)
        told.tell(run.id, *"abc")
        await viewer.tokens(3)
        await here.engine.conductor.close()
        told.tell(run.id, "x", attempt=2)
        told.end(run.id, attempt=2)
        records = await viewer.end()
        assert types(records) == ["start", *["token"] * 3, "restart", "token", "complete", "end"]
        assert_dense(records)

    async def test_does_not_repeat_a_run_that_is_just_being_ended(
        self,
        here: Replica,
        there: Replica,
        told: Told,
        history: Conversations,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        keeping, kept = asyncio.Event(), asyncio.Event()

        async def keep(run: object, steps: object) -> None:
            keeping.set()
            await kept.wait()

        monkeypatch.setattr(history, "keep", keep)
        run = (await here.start("/words", {"n": 2}, thread_id="t1")).run
        await keeping.wait()
        closing = asyncio.create_task(here.engine.conductor.close())
        await asyncio.sleep(0.05)
        kept.set()
        await closing
        records = await seen(there.engine, run.id)
        assert types(records) == ["start", "token", "token", "complete", "end"]

    async def test_waits_for_a_run_whose_answer_is_being_kept(
        self, here: Replica, told: Told, history: Conversations
    ) -> None:
        history.failure = HistoryAway()
        run_id = (await here.start("/told", thread_id="t1")).run.id
        await until(lambda: told.inputs)
        told.end(run_id)
        execution = here.engine.local[run_id]
        await until(lambda: execution.phase == "produced")
        closing = asyncio.create_task(here.engine.conductor.close())
        await asyncio.sleep(0.05)
        history.failure = None
        await closing
        assert [(run.id, run.state) for run, _ in history.kept] == [(run_id, "completed")]

    async def test_of_a_run_that_could_not_be_ended_loses_no_token(
        self, here: Replica, there: Replica, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gatehouse.runs.lifecycle.conducting.CLEAN_SECONDS", 0.1)
        monkeypatch.setattr("gatehouse.runs.log.log.FLUSH_SECONDS", 0.5)  # the end comes before
        ending = asyncio.Event()

        async def refuse(*_arguments: object) -> bool:
            ending.set()
            raise RedisGone

        monkeypatch.setattr(here.engine.attempts, "finish", refuse)
        run = (await here.start("/words", {"n": 2})).run
        await ending.wait()
        await here.engine.conductor.close()
        records = await seen(there.engine, run.id)
        assert types(records)[:4] == ["start", "token", "token", "restart"]

    async def test_does_not_wait_for_a_runnable_that_will_not_stop(
        self, replicas: Replicas, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gatehouse.runs.lifecycle.conducting.CLOSE_SECONDS", 0.2)
        cleaned = asyncio.Event()

        class Stubborn(Words):
            async def astream(self, *_: object, **__: object):  # type: ignore[no-untyped-def]
                yield "a"
                try:
                    await asyncio.sleep(30)
                finally:
                    try:
                        await asyncio.sleep(30)
                    finally:
                        cleaned.set()

        replicas.runnables = {"/stubborn": Stubborn()}
        here = await replicas.open()
        run = (await here.start("/stubborn")).run
        await Viewer(here.engine, run.id).tokens(1)
        began = time.monotonic()
        await here.engine.conductor.close()
        assert time.monotonic() - began < 1
        assert cleaned.is_set()
        assert here.engine.conductor.tasks == set()

    async def test_of_an_idle_process_is_nothing(self, here: Replica) -> None:
        await here.engine.conductor.close()
        await here.engine.conductor.revive("0198c0de-0000-7000-8000-000000000000")


class TestActiveRuns:
    async def test_are_listed_while_they_go_on(self, here: Replica, told: Told) -> None:
        run = (await here.start("/told")).run
        assert await here.redis.zrange(ACTIVE, 0, -1) == [run.id.encode()]
        told.end(run.id)
        await seen(here.engine, run.id)
        assert await here.redis.zrange(ACTIVE, 0, -1) == []

    async def test_that_expired_are_dropped_by_a_sweep(self, here: Replica) -> None:
        await here.redis.zadd(ACTIVE, {"0198c0de-0000-7000-8000-000000000000": 1.0})

        async def empty() -> bool:
            return await here.redis.zcard(ACTIVE) == 0

        await until(empty)

    async def test_have_their_log_untouched_by_others(
        self, here: Replica, there: Replica, told: Told
    ) -> None:
        """Sweeps of other replicas leave a run alone whose process is well, however long it takes."""
        run = (await here.start("/told")).run
        told.tell(run.id, "a")
        await asyncio.sleep(3 * LEASE)
        assert data((await seen_so_far(there, run.id))[-1])["content"] == "a"
        assert await RunLog(there.redis).last(run.id) == Cursor(1, 2)
        assert run.id in here.engine.local


async def lease_expired(replica: Replica, run_id: str) -> None:
    async def gone() -> bool:
        return not await replica.redis.exists(lease_key(run_id))

    await until(gone)


async def seen_so_far(replica: Replica, run_id: str) -> list:  # type: ignore[type-arg]
    viewer = await Viewer(replica.engine, run_id).tokens(1)
    await viewer.leave()
    return viewer.records


async def stop_writing(replica: Replica) -> None:
    """Keep what is emitted from now on in memory."""
    [task] = [task for task in replica.tasks if task.get_name() == "run log writer"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def go_on_writing(replica: Replica) -> None:
    replica.tasks.add(asyncio.create_task(replica.engine.conductor.writer.run(), name="run log writer"))
