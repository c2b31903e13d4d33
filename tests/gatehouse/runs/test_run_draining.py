"""How a process leaves that was told to end: no new runs, clean points, and nobody is told a lie."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from agent_graphs import agent_graph
from langchain_core.tools import tool
from migrated_databases import url_of
from run_replicas import ALICE, Conversations, Replica, Replicas, lapse, until
from run_runnables import Told
from run_viewers import Viewer, assembled, assert_dense, last, seen, types

from gatehouse.models.scripted.chat import ScriptedChatModel
from gatehouse.problems.draining import Drain, Restarting
from gatehouse.registry.entry import Parts
from gatehouse.runs.checkpoints.opening import open_checkpoints
from gatehouse.runs.events import BEGINNING
from gatehouse.runs.log.log import RunLog
from gatehouse.runs.records import load
from gatehouse.runs.sources.graphs.streaming_agent import StreamingAgent
from gatehouse.runs.sources.tap import Tap


class TestStages:
    def test_leaving_still_starts_runs(self) -> None:
        drain = Drain()
        drain.leave()
        drain.check()
        assert (drain.leaving, drain.refusing) == (True, False)

    def test_refusing_does_not(self) -> None:
        drain = Drain()
        drain.refuse()
        with pytest.raises(Restarting) as refused:
            drain.check()
        assert refused.value.headers == {"retry-after": "1"}
        assert drain.leaving

    async def test_a_pause_ends_when_runs_are_refused(self) -> None:
        drain = Drain()
        pause = asyncio.create_task(drain.pause(60))
        await asyncio.sleep(0.02)
        drain.refuse()
        async with asyncio.timeout(5):
            await pause
            await drain.pause(60)  # and is short from then on

    async def test_a_pause_is_as_long_as_it_says(self) -> None:
        began = time.monotonic()
        await Drain().pause(0.05)
        assert time.monotonic() - began >= 0.04  # timers have a grain


class TestLeaving:
    async def test_takes_nobody_s_run_over(self, here: Replica, there: Replica, told: Told) -> None:
        """It would hand it over again at once: its viewers would see two restarts."""
        run = (await here.start("/told")).run
        there.engine.drain.leave()
        await here.pause()
        await lapse(run.id, here)
        await there.engine.conductor.revive(run.id)
        assert there.engine.local == {}
        assert await there.engine.attempts.owner_of(run.id) is None


class TestRefusal:
    async def test_of_a_new_run_leaves_nothing_behind(self, here: Replica, history: Conversations) -> None:
        here.engine.drain.refuse()
        with pytest.raises(Restarting):
            await here.start("/words", {"n": 1}, thread_id="t1", idempotency=("key", b"body"))
        assert history.begun == []
        assert [key async for key in here.redis.scan_iter("gh:idempotency:*")] == []

    async def test_is_not_of_a_request_that_joins_its_run(self, here: Replica, told: Told) -> None:
        first = (await here.start("/told", idempotency=("key", b"body"))).run
        here.engine.drain.refuse()
        assert (await here.start("/told", idempotency=("key", b"body"))).run.id == first.id
        told.end(first.id)

    async def test_of_one_that_waited_for_its_thread_gives_the_thread_back(
        self, here: Replica, there: Replica, told: Told
    ) -> None:
        first = (await here.start("/told", thread_id="t1")).run
        waiting = asyncio.create_task(here.start("/words", {"n": 1}, thread_id="t1", multitask="enqueue"))
        await asyncio.sleep(0.3)
        here.engine.drain.refuse()
        told.end(first.id)
        with pytest.raises(Restarting):
            await waiting
        run = (await there.start("/words", {"n": 1}, thread_id="t1")).run
        assert last(await seen(there.engine, run.id), "end")["status"] == "completed"


class TestHandover:
    async def test_does_not_count_as_a_lost_attempt(self, replicas: Replicas, told: Told) -> None:
        for attempt in (1, 2, 3):
            replica = await replicas.open(max_attempts=1)
            if attempt == 1:
                run = (await replica.start("/told")).run
            viewer = Viewer(replica.engine, run.id)
            told.tell(run.id, "a", attempt=attempt)
            await viewer.tokens(attempt)
            await viewer.leave()
            await replica.close()
        end = await replicas.open(max_attempts=1)
        viewer = Viewer(end.engine, run.id)
        told.tell(run.id, "b", attempt=4)
        told.end(run.id, attempt=4)
        records = await viewer.end()
        assert_dense(records)
        assert types(records).count("restart") == 3
        assert last(records, "complete")["content"] == "b"
        record = await load(end.redis, run.id)
        assert record is not None
        assert (record.attempt, record.handovers) == (4, 3)

    async def test_comes_after_what_its_viewers_were_shown_is_written(
        self, replicas: Replicas, told: Told, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gatehouse.runs.log.log.FLUSH_SECONDS", 60.0)
        here = await replicas.open()
        run_id = (await here.start("/told")).run.id
        viewer = Viewer(here.engine, run_id)
        told.tell(run_id, *"ab")
        await viewer.tokens(2)
        await here.engine.hand_over()
        written = await RunLog(here.redis).after(run_id, BEGINNING)
        assert types(written) == ["start", "token", "token"]

    async def test_tells_viewers_to_read_on_elsewhere(
        self, here: Replica, there: Replica, told: Told
    ) -> None:
        run = (await here.start("/told")).run
        other = (await there.start("/told")).run
        viewers = [Viewer(here.engine, run.id), Viewer(here.engine, other.id)]
        for viewed in (run, other):
            told.tell(viewed.id, *"abc")
        for viewer in viewers:
            await viewer.tokens(3)
        await here.engine.hand_over()
        for viewer in viewers:
            with pytest.raises(Restarting):
                await viewer.end()
        with pytest.raises(Restarting):
            await seen(here.engine, run.id)
        on = Viewer(there.engine, run.id, viewers[0].cursor)
        told.tell(run.id, "x", attempt=2)
        told.end(run.id, attempt=2)
        told.end(other.id)
        assert assembled([*viewers[0].records, *await on.end()]) == "x"

    async def test_of_a_run_that_nobody_could_join_ends_it(self, here: Replica, told: Told) -> None:
        tap = Tap("stream")
        run = (await here.start("/told", grace=0, tap=tap)).run
        with here.engine.watched(run.id):
            told.tell(run.id, "a")
            chunks = tap.chunks()
            assert await anext(chunks) == "a"
            await here.engine.hand_over()
            with pytest.raises(Restarting):
                await anext(chunks)
        found = await here.engine.get(ALICE, run.id)
        assert (found.state, found.text) == ("failed", "a")
        assert found.problem is not None
        assert found.problem["status"] == 503

    async def test_tells_the_reader_of_a_tap_where_the_run_is(self, here: Replica, told: Told) -> None:
        tap = Tap("stream")
        run = (await here.start("/told", grace=30, tap=tap)).run
        told.tell(run.id, "a")
        chunks = tap.chunks()
        assert await anext(chunks) == "a"
        await here.engine.hand_over()
        with pytest.raises(Restarting, match="join it by its id"):
            await anext(chunks)


class Desk:
    """A tool that takes its time, and how often it was called and returned."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.go_on = asyncio.Event()


@pytest.fixture
async def office(replicas: Replicas, tmp_path: Path) -> AsyncIterator[tuple[Replicas, Desk]]:
    desk = Desk()

    @tool
    async def transfer() -> str:
        """Move money: not to be done twice."""
        desk.calls.append("called")
        await desk.go_on.wait()
        desk.calls.append("returned")
        return "done"

    async with open_checkpoints(url_of(tmp_path / "gatehouse.db")) as saver:
        replicas.checkpoints = saver
        replicas.runnables = {
            "/agent": StreamingAgent(agent_graph(Parts(ScriptedChatModel(), [transfer], saver)))
        }
        yield replicas, desk
        await replicas.close()


class TestTools:
    async def working(self, replica: Replica, desk: Desk) -> str:
        run = (await replica.start("/agent", {"input": "[tool transfer {}] [say It is done.]"})).run
        await until(lambda: desk.calls == ["called"])
        return run.id

    async def test_that_are_at_work_return_first_and_are_not_repeated(
        self, office: tuple[Replicas, Desk]
    ) -> None:
        replicas, desk = office
        here = await replicas.open()
        run_id = await self.working(here, desk)
        leaving = asyncio.create_task(here.engine.hand_over())
        await asyncio.sleep(0.2)
        assert not leaving.done()
        desk.go_on.set()
        await leaving
        there = await replicas.open()
        records = await seen(there.engine, run_id)
        assert_dense(records)
        assert "restart" in types(records)
        assert assembled(records) == "It is done."
        assert desk.calls == ["called", "returned"]

    async def test_that_take_too_long_are_cancelled(
        self, office: tuple[Replicas, Desk], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gatehouse.runs.lifecycle.conducting.CLEAN_SECONDS", 0.1)
        replicas, desk = office
        here = await replicas.open()
        run_id = await self.working(here, desk)
        await here.engine.hand_over()
        assert desk.calls == ["called"]
        desk.go_on.set()
        there = await replicas.open()
        assert assembled(await seen(there.engine, run_id)) == "It is done."
        assert desk.calls == ["called", "called", "returned"]
