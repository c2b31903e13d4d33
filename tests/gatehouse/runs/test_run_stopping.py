"""How runs end before they are complete: cancelled, left, too long, or failed."""

import asyncio
import time

import pytest
from run_replicas import ALICE, Conversations, Replica, Replicas, until
from run_runnables import Told
from run_viewers import Viewer, assembled, assert_dense, last, seen, types
from structlog.typing import EventDict

from gatehouse.problems.draining import Restarting
from gatehouse.problems.errors import RunFailed
from gatehouse.runs.events import Event
from gatehouse.runs.lifecycle.control import Control
from gatehouse.runs.records import RunRecord
from gatehouse.runs.sources.tap import Tap


@pytest.fixture
def lease() -> float:
    return 0.8


async def state(replica: Replica, run_id: str) -> str:
    return (await replica.engine.get(ALICE, run_id)).state


class TestCancel:
    @pytest.mark.parametrize("asking", ["here", "there"])
    async def test_stops_a_run_within_a_second_and_keeps_its_text(
        self, here: Replica, there: Replica, told: Told, history: Conversations, asking: str
    ) -> None:
        run = (await here.start("/told", thread_id="t1")).run
        viewer = Viewer(there.engine, run.id)
        told.tell(run.id, *"abc")
        await viewer.tokens(3)
        began = time.monotonic()
        await (here if asking == "here" else there).engine.cancel(run.id)
        records = await viewer.end()
        assert time.monotonic() - began < 1
        assert types(records)[-1] == "end"
        assert last(records, "end")["status"] == "cancelled"
        assert_dense(records)
        found = await there.engine.get(ALICE, run.id)
        assert (found.state, found.text, found.last_event) == ("cancelled", "abc", records[-1].cursor)
        assert [(kept.state, kept.text) for kept, _ in history.kept] == [("cancelled", "abc")]
        assert told.closed == [(run.id, 1)]

    @pytest.mark.parametrize("asking", ["here", "there"])
    async def test_before_the_first_token(
        self, here: Replica, there: Replica, told: Told, asking: str
    ) -> None:
        run = (await here.start("/told")).run
        began = time.monotonic()
        await (here if asking == "here" else there).engine.cancel(run.id)
        records = await seen(there.engine, run.id)
        assert time.monotonic() - began < 1
        assert types(records) == ["start", "end"]

    async def test_before_the_runnable_is_called_never_calls_it(self, here: Replica, told: Told) -> None:
        run = (await here.start("/told")).run
        here.engine.local[run.id].halt("cancelled")
        assert types(await seen(here.engine, run.id)) == ["start", "end"]
        assert told.inputs == []

    async def test_of_an_ended_run_changes_nothing(self, here: Replica, there: Replica) -> None:
        run = (await here.start("/words", {"n": 3})).run
        before = await seen(here.engine, run.id)
        await there.engine.cancel(run.id)
        assert await state(here, run.id) == "completed"
        assert await seen(here.engine, run.id) == before

    async def test_of_a_run_that_never_was_makes_none(self, here: Replica) -> None:
        await here.engine.cancel("0198c0de-0000-7000-8000-000000000000")
        assert [key async for key in here.redis.scan_iter("*0198c0de*")] == []

    async def test_is_heard_of_although_its_message_was_lost(self, here: Replica, told: Told) -> None:
        run = (await here.start("/told")).run
        await Control(here.redis).mark_cancelled(run.id, "cancelled")
        assert last(await seen(here.engine, run.id), "end")["status"] == "cancelled"

    async def test_wins_over_a_runnable_that_swallows_it(self, here: Replica, replicas: Replicas) -> None:
        async def deaf(inputs: object, config: object = None) -> object:
            async for _ in inputs:  # type: ignore[attr-defined]
                while True:
                    try:
                        await asyncio.sleep(0.01)
                    except asyncio.CancelledError:
                        yield "no"
                    yield "."

        run = await self._run(replicas, deaf)
        viewer = Viewer(replicas.opened[-1].engine, run)
        await viewer.tokens(2)
        await replicas.opened[-1].engine.cancel(run)
        assert last(await viewer.end(), "end")["status"] == "cancelled"

    async def test_leaves_what_stores_its_answer_in_peace(
        self, here: Replica, told: Told, history: Conversations, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A library that finds its task cancelled has every reason to stop."""
        store, cancelled = history.keep, []

        async def keep(run: RunRecord, steps: list[Event]) -> None:
            task = asyncio.current_task()
            cancelled.append(task is not None and task.cancelling())
            await store(run, steps)

        monkeypatch.setattr(history, "keep", keep)
        run = (await here.start("/told", thread_id="t1")).run
        told.tell(run.id, "a")
        await Viewer(here.engine, run.id).tokens(1)
        await here.engine.cancel(run.id)
        assert last(await seen(here.engine, run.id), "end")["status"] == "cancelled"
        assert ([kept.text for kept, _ in history.kept], cancelled) == (["a"], [0])

    async def _run(self, replicas: Replicas, transform: object) -> str:
        from langchain_core.runnables import RunnableGenerator  # noqa: PLC0415

        replicas.runnables = {"/deaf": RunnableGenerator(transform)}  # type: ignore[arg-type]
        replica = await replicas.open()
        return (await replica.start("/deaf")).run.id


class TestDeadline:
    async def test_fails_a_run_that_takes_too_long(
        self, replicas: Replicas, told: Told, history: Conversations
    ) -> None:
        here = await replicas.open(deadline=1)  # in which a busy machine, too, tells two tokens
        run = (await here.start("/told", thread_id="t1")).run
        told.tell(run.id, *"ab")
        records = await seen(here.engine, run.id)
        assert types(records) == ["start", "token", "token", "error", "end"]
        assert last(records, "error")["problem"]["type"] == "urn:gatehouse:problem:deadline-exceeded"
        assert last(records, "error")["problem"]["status"] == 504
        assert last(records, "end")["status"] == "failed"
        found = await here.engine.get(ALICE, run.id)
        assert (found.state, found.text) == ("failed", "ab")
        assert found.problem == last(records, "error")["problem"]
        assert history.kept[0][0].text == "ab"

    async def test_is_not_what_a_timeout_inside_the_runnable_is(self, here: Replica, told: Told) -> None:
        run = (await here.start("/told")).run
        told.tell(run.id, TimeoutError("the price service did not answer"))
        records = await seen(here.engine, run.id)
        assert last(records, "error")["problem"]["type"] == "urn:gatehouse:problem:run-failed"


class TestFailure:
    async def test_is_told_without_its_cause(self, here: Replica, told: Told, logs: list[EventDict]) -> None:
        run = (await here.start("/told")).run
        told.tell(run.id, "a", ValueError("password=hunter2"))
        records = await seen(here.engine, run.id)
        assert types(records) == ["start", "token", "error", "end"]
        assert last(records, "error")["content"] == RunFailed.default_detail
        assert last(records, "error")["problem"]["detail"] == RunFailed.default_detail
        assert b"hunter2" not in b"".join(record.data for record in records)
        stored = await here.redis.hgetall(f"gh:{{{run.id}}}:run")
        assert not [value for value in stored.values() if b"hunter2" in value]
        assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["run failed"]

    async def test_of_the_history_is_the_runs(
        self, here: Replica, told: Told, history: Conversations, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def broken(run: object) -> list[object]:
            raise OSError("database at 10.0.0.7 is gone")

        monkeypatch.setattr(history, "before", broken)
        run = (await here.start("/told", thread_id="t1")).run
        records = await seen(here.engine, run.id)
        assert types(records) == ["start", "error", "end"]
        assert b"10.0.0.7" not in b"".join(record.data for record in records)

    async def test_includes_a_runnable_that_cancels_itself(self, here: Replica, told: Told) -> None:
        """A library that leaks a cancellation of its own must not leave a run without an end."""
        run = (await here.start("/told")).run
        told.tell(run.id, "a", asyncio.CancelledError())
        records = await seen(here.engine, run.id)
        assert types(records) == ["start", "token", "error", "end"]
        await until(lambda: not here.engine.local)

    async def test_known_to_the_caller_keeps_its_message(self, here: Replica, told: Told) -> None:
        run = (await here.start("/told")).run
        told.tell(run.id, RunFailed("The agent took too many steps."))
        records = await seen(here.engine, run.id)
        assert last(records, "error")["content"] == "The agent took too many steps."


class TestLeaving:
    async def test_ends_a_run_after_its_grace(self, here: Replica, told: Told) -> None:
        run = (await here.start("/told", grace=0.3)).run
        viewer = Viewer(here.engine, run.id)
        told.tell(run.id, "a")
        await viewer.tokens(1)
        await asyncio.sleep(0.7)
        assert await state(here, run.id) == "running"
        await viewer.leave()
        assert await ended(here, run.id, within=1) > 0.2
        assert (await here.engine.get(ALICE, run.id)).text == "a"

    async def test_with_no_grace_ends_it_at_once(self, here: Replica, told: Told) -> None:
        run = (await here.start("/told", grace=0)).run
        viewers = [Viewer(here.engine, run.id) for _ in range(2)]
        told.tell(run.id, "a")
        for viewer in viewers:
            await viewer.tokens(1)
        await viewers[0].leave()
        await asyncio.sleep(0.2)
        assert await state(here, run.id) == "running"
        await viewers[1].leave()
        await ended(here, run.id, within=0.3)

    async def test_is_not_what_coming_late_is(self, here: Replica, told: Told) -> None:
        """Between the start of a run and its first viewer a request has something to do."""
        run = (await here.start("/told", grace=0)).run
        await asyncio.sleep(0.15)
        told.tell(run.id, "a")
        told.end(run.id)
        assert assembled(await seen(here.engine, run.id)) == "a"

    async def test_a_run_that_nobody_ever_views_ends(self, here: Replica, told: Told) -> None:
        run = (await here.start("/told", grace=0)).run
        await ended(here, run.id, within=1)

    async def test_a_viewer_elsewhere_keeps_the_run(self, here: Replica, there: Replica, told: Told) -> None:
        run = (await here.start("/told", grace=0.3)).run
        foreign = Viewer(there.engine, run.id)
        told.tell(run.id, "a")
        await foreign.tokens(1)
        await asyncio.sleep(1)
        assert await state(here, run.id) == "running"
        await foreign.leave()
        await ended(here, run.id, within=2)

    async def test_coming_back_in_time_keeps_the_run(self, here: Replica, there: Replica, told: Told) -> None:
        run = (await here.start("/told", grace=0.8)).run
        told.tell(run.id, "a")
        first = await Viewer(here.engine, run.id).tokens(1)
        await first.leave()
        await asyncio.sleep(0.3)
        second = Viewer(there.engine, run.id, first.cursor)
        await asyncio.sleep(1)
        told.tell(run.id, "b")
        told.end(run.id)
        assert assembled(await second.end()) == "b"
        assert_dense(second.records, first.cursor)

    async def test_a_tap_counts_as_a_viewer(self, here: Replica, told: Told) -> None:
        tap = Tap("stream")
        run = (await here.start("/told", grace=0, tap=tap)).run
        with here.engine.watched(run.id):
            await asyncio.sleep(0.5)
            assert await state(here, run.id) == "running"
        await ended(here, run.id, within=0.3)

    async def test_watching_a_run_of_another_process_is_not_counted_here(
        self, here: Replica, there: Replica, told: Told
    ) -> None:
        run = (await here.start("/told", grace=30)).run
        with there.engine.watched(run.id):
            assert run.id not in there.engine.local


class TestTap:
    async def test_yields_what_the_runnable_yields(self, here: Replica) -> None:
        tap = Tap("stream")
        await here.start("/words", {"n": 3}, tap=tap)
        assert [chunk async for chunk in tap.chunks()] == ["w0 ", "w1 ", "w2 "]

    async def test_raises_the_error_of_the_run(self, here: Replica, told: Told) -> None:
        tap = Tap("stream")
        run = (await here.start("/told", tap=tap)).run
        told.tell(run.id, "a", ValueError("secret"))
        got = []
        with pytest.raises(RunFailed, match=r"The run failed\."):
            async for chunk in tap.chunks():
                got.append(chunk)  # what came before the error counts
        assert got == ["a"]

    async def test_says_that_the_run_was_stopped(self, here: Replica, told: Told) -> None:
        tap = Tap("stream")
        run = (await here.start("/told", tap=tap)).run
        told.tell(run.id, "a")
        chunks = tap.chunks()
        assert await anext(chunks) == "a"
        await here.engine.cancel(run.id)
        with pytest.raises(RunFailed, match="stopped"):
            await anext(chunks)

    async def test_cuts_a_reader_that_takes_nothing_while_the_run_goes_on(self, here: Replica) -> None:
        tap = Tap("stream", size=5)
        run = (await here.start("/words", {"n": 20}, tap=tap)).run
        assert last(await seen(here.engine, run.id), "end")["status"] == "completed"
        assert not tap.ready
        with pytest.raises(RunFailed, match="not read fast enough"):
            [chunk async for chunk in tap.chunks()]

    async def test_has_the_run_wait_for_a_reader_that_is_slower(self, here: Replica, told: Told) -> None:
        tap = Tap("stream")
        run = (await here.start("/told", tap=tap)).run
        told.tell(run.id, *("x" * 100_000 for _ in range(8)))
        told.end(run.id)
        execution = here.engine.local[run.id]
        await until(lambda: len(execution.text) >= 3)
        assert await state(here, run.id) == "running"
        assert len(execution.text) == 3  # what made it too much is the last
        assert len([chunk async for chunk in tap.chunks()]) == 8
        assert last(await seen(here.engine, run.id), "end")["status"] == "completed"

    async def test_has_room_again_for_what_was_taken(self) -> None:
        tap = Tap("stream")
        for _ in range(3):
            tap.put("x" * 100_000)
        chunks = tap.chunks()
        for _ in range(3):
            await anext(chunks)
        tap.put("small")
        tap.put("small")
        async with asyncio.timeout(1):
            await tap.room()

    async def test_lets_the_run_go_on_when_its_reader_has_left(self, here: Replica, told: Told) -> None:
        tap = Tap("stream")
        run = (await here.start("/told", tap=tap)).run
        told.tell(run.id, *("x" * 100_000 for _ in range(8)))
        told.end(run.id)
        await until(lambda: len(here.engine.local[run.id].text) >= 3)
        tap.close()
        assert last(await seen(here.engine, run.id), "end")["status"] == "completed"

    async def test_lets_the_run_go_on_when_nothing_is_taken_for_long(
        self, here: Replica, told: Told, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gatehouse.runs.sources.tap.PATIENCE", 0.2)
        tap = Tap("stream")
        run = (await here.start("/told", tap=tap)).run
        told.tell(run.id, *("x" * 100_000 for _ in range(8)))
        told.end(run.id)
        assert last(await seen(here.engine, run.id), "end")["status"] == "completed"
        with pytest.raises(RunFailed, match="not read fast enough"):
            [chunk async for chunk in tap.chunks()]

    async def test_ends_when_its_process_does(self, here: Replica, there: Replica, told: Told) -> None:
        tap = Tap("stream")
        await here.start("/told", tap=tap)
        await here.engine.conductor.close()
        with pytest.raises(Restarting, match="join it by its id"):
            [chunk async for chunk in tap.chunks()]


async def ended(replica: Replica, run_id: str, *, within: float) -> float:
    """Return after how many seconds the run had been cancelled; fail when it is not within those given."""

    async def cancelled() -> bool:
        return await state(replica, run_id) == "cancelled"

    return await until(cancelled, within)
