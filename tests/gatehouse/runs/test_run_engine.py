"""Runs from their first event to their last, as viewers on every replica see them."""

import asyncio
from dataclasses import replace

import pytest
from run_replicas import ALICE, BOB, Conversations, Replica, Replicas, lapse, until
from run_runnables import Told
from run_viewers import Viewer, assembled, assert_dense, data, last, seen, types

from gatehouse.problems.errors import NotFound
from gatehouse.runs.events import BEGINNING, Cursor
from gatehouse.runs.lifecycle.attempts import lease_key
from gatehouse.runs.lifecycle.ending import Ending
from gatehouse.runs.log.log import log_key
from gatehouse.runs.records import RunRecord, run_key

WORDS = "".join(f"w{i} " for i in range(20))


class TestEvents:
    async def test_come_in_order_with_dense_ids(self, here: Replica) -> None:
        run = (await here.start("/words", {"n": 20})).run
        records = await seen(here.engine, run.id)
        assert types(records) == ["start", *["token"] * 20, "complete", "end"]
        assert [record.cursor for record in records] == [Cursor(1, i) for i in range(1, 24)]

    async def test_tell_which_run_it_is_and_how_it_ended(self, here: Replica) -> None:
        run = (await here.start("/words", {"n": 1}, thread_id="t1")).run
        first, *_, complete, end = map(data, await seen(here.engine, run.id))
        assert first == {
            "type": "start", "content": "", "run_id": run.id, "thread_id": "t1", "runnable": "words", "attempt": 1
        }  # fmt: skip
        assert complete["content"] == "w0 "
        assert complete["usage"] == {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
        assert complete["duration_ms"] >= 0
        assert end == {"type": "end", "content": "", "status": "completed"}

    async def test_complete_holds_what_the_tokens_add_up_to(self, here: Replica) -> None:
        run = (await here.start("/words", {"n": 20})).run
        records = await seen(here.engine, run.id)
        assert assembled(records) == last(records, "complete")["content"] == WORDS

    async def test_of_a_runnable_that_says_nothing(self, here: Replica) -> None:
        run = (await here.start("/words", {"n": 0})).run
        records = await seen(here.engine, run.id)
        assert types(records) == ["start", "complete", "end"]
        assert last(records, "complete")["content"] == ""


class TestViewers:
    @pytest.mark.parametrize("viewing", ["here", "there"])
    async def test_see_tokens_as_they_come(
        self, here: Replica, there: Replica, told: Told, viewing: str
    ) -> None:
        run = (await here.start("/told")).run
        viewer = Viewer((here if viewing == "here" else there).engine, run.id)
        for i in range(3):
            told.tell(run.id, f"{i}")
            await viewer.tokens(i + 1)
        told.end(run.id)
        assert_dense(await viewer.end())
        assert assembled(viewer.records) == "012"

    async def test_see_the_same_on_every_replica_and_afterwards(self, here: Replica, there: Replica) -> None:
        run = (await here.start("/words", {"n": 100, "pause": 0.001})).run
        engines = (here.engine, there.engine, here.engine, there.engine)
        first, *others = await asyncio.gather(*[seen(engine, run.id) for engine in engines])
        others += [await seen(here.engine, run.id), await seen(there.engine, run.id)]
        assert_dense(first)
        assert all(records == first for records in others)

    async def test_join_a_finished_run_after_any_cursor(self, here: Replica, there: Replica) -> None:
        run = (await here.start("/words", {"n": 12})).run
        whole = await seen(here.engine, run.id)
        for i, record in enumerate(whole):
            assert await seen(there.engine, run.id, record.cursor) == whole[i + 1 :]

    @pytest.mark.parametrize("viewing", ["here", "there"])
    async def test_join_a_running_run_after_any_cursor(
        self, here: Replica, there: Replica, told: Told, viewing: str
    ) -> None:
        run = (await here.start("/told")).run
        told.tell(run.id, *"abcdefgh")
        await Viewer(there.engine, run.id).tokens(8)
        engine = (here if viewing == "here" else there).engine
        cursors = [BEGINNING, *[Cursor(1, i) for i in range(1, 10)]]
        viewers = [Viewer(engine, run.id, cursor) for cursor in cursors]
        await asyncio.sleep(0.05)
        told.tell(run.id, *"ij")
        told.end(run.id)
        whole = await seen(here.engine, run.id)
        for i, viewer in enumerate(viewers):
            assert await viewer.end() == whole[i:]

    async def test_with_a_cursor_beyond_the_top_hear_of_nothing_earlier(
        self, here: Replica, there: Replica, told: Told
    ) -> None:
        """A client may know more than the log does for a moment: it read from another process's memory."""
        run = (await here.start("/told")).run
        told.tell(run.id, *"ab")
        ahead = [Viewer(engine, run.id, Cursor(1, 5)) for engine in (here.engine, there.engine)]
        await Viewer(there.engine, run.id).tokens(2)
        told.tell(run.id, *"cde")
        told.end(run.id)
        for viewer in ahead:
            assert types(await viewer.end()) == ["token", "complete", "end"]
            assert_dense(viewer.records, Cursor(1, 5))

    async def test_with_a_cursor_beyond_the_end_are_told_the_end(self, here: Replica, told: Told) -> None:
        """No record has such a cursor: a stream without `end` would be asked for again and again."""
        run = (await here.start("/words", {"n": 1})).run
        records = await seen(here.engine, run.id)
        assert await seen(here.engine, run.id, Cursor(1, 99)) == records[-1:]
        assert await seen(here.engine, run.id, records[-1].cursor) == []

    async def test_of_a_run_that_never_was_are_told(self, here: Replica) -> None:
        with pytest.raises(NotFound):
            await seen(here.engine, "0198c0de-0000-7000-8000-000000000000")

    async def test_two_hundred_of_one_run(self, replicas: Replicas) -> None:
        here, there = await replicas.open(lease=5), await replicas.open(lease=5)
        run = (await here.start("/words", {"n": 50, "pause": 0.002})).run
        engines = [here.engine, there.engine] * 100
        everyone = await asyncio.gather(*[seen(engine, run.id) for engine in engines])
        assert_dense(everyone[0])
        assert len(everyone[0]) == 53
        assert all(records == everyone[0] for records in everyone)
        assert there.engine.reader.mirrors == {}

    @pytest.mark.parametrize("viewing", ["here", "there"])
    async def test_that_fall_behind_are_served_from_the_log(self, replicas: Replicas, viewing: str) -> None:
        here, there = await replicas.open(feed_size=4), await replicas.open(feed_size=4)
        run = (await here.start("/words", {"n": 300})).run
        view = (here if viewing == "here" else there).engine.view(run.id)
        records = []
        async for some in view:
            records += some
            await asyncio.sleep(0.01)
        assert_dense(records)
        assert len(records) == 303

    async def test_leave_without_a_trace(self, here: Replica, there: Replica, told: Told) -> None:
        run = (await here.start("/told")).run
        local, foreign = Viewer(here.engine, run.id), Viewer(there.engine, run.id)
        told.tell(run.id, "a")
        await local.tokens(1)
        await foreign.tokens(1)
        await local.leave()
        await foreign.leave()
        assert here.engine.local[run.id].viewers == 0
        assert here.engine.local[run.id].feed._waiting == []
        assert there.engine.reader.mirrors == {}

    async def test_that_comes_from_beyond_the_end_is_let_go(
        self, here: Replica, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tidying = asyncio.Event()
        closed = asyncio.Event()

        async def clean_up_slowly(_: Ending, run: RunRecord) -> None:
            tidying.set()
            await closed.wait()

        monkeypatch.setattr(Ending, "_clean_up", clean_up_slowly)
        run = (await here.start("/words", {"n": 3}, thread_id="t1")).run
        await asyncio.wait_for(tidying.wait(), 5)
        assert run.id in here.engine.local  # it has ended, and is not forgotten yet
        seen = [records async for records in here.engine.view(run.id, Cursor(1, 10_000))]
        closed.set()
        assert [[record.type for record in records] for records in seen] == [["end"]]


class TestRunnable:
    async def test_sees_the_principal_and_the_run(self, here: Replica, told: Told) -> None:
        run = (await here.start("/told", {"input": "hello"}, thread_id="t1")).run
        await until(lambda: told.configs)
        [config] = told.configs
        assert config["configurable"] == {
            "portfolio_id": "p1", "claims": {"portfolio_id": "p1"}, "user_id": "alice", "tenant_id": "acme", "user_name": "Alice", "scopes": ["*"],
            "thread_id": "t1", "run_id": run.id, "attempt": 1,
        }  # fmt: skip
        assert str(config["run_id"]) == run.id
        assert config["recursion_limit"] == 25

    async def test_is_given_the_history_of_its_thread_alone(
        self, here: Replica, told: Told, history: Conversations
    ) -> None:
        await here.start("/told", {"input": "a"}, thread_id="t1")
        await until(lambda: len(told.inputs) == 1)
        await here.start("/told", {"input": "b"})
        await until(lambda: len(told.inputs) == 2)
        assert {"input": "a", "history": history.messages} in told.inputs
        assert {"input": "b"} in told.inputs

    async def test_bursts_without_starving_the_others(self, here: Replica, told: Told) -> None:
        slow = (await here.start("/told")).run
        viewer = Viewer(here.engine, slow.id)
        await viewer.until(lambda viewer: "start" in viewer.types)
        burst = (await here.start("/words", {"n": 50_000})).run
        told.tell(slow.id, "a")
        await viewer.tokens(1)
        assert (await here.engine.get(ALICE, burst.id)).state == "running"
        await here.engine.cancel(burst.id)


class TestGet:
    async def test_returns_the_text_so_far_on_every_replica(
        self, here: Replica, there: Replica, told: Told
    ) -> None:
        run = (await here.start("/told", {"input": "hello"})).run
        told.tell(run.id, *"abc")
        await Viewer(there.engine, run.id).tokens(3)
        for replica in (here, there):
            found = await replica.engine.get(ALICE, run.id)
            assert (found.state, found.text, found.attempt) == ("running", "abc", 1)
            assert found.text_cursor == Cursor(1, 4)
            assert found.input == {"input": "hello"}

    async def test_returns_the_text_of_the_newest_attempt_alone(self, replicas: Replicas, told: Told) -> None:
        here, there, elsewhere = [await replicas.open(lease=30) for _ in range(3)]
        run = (await here.start("/told")).run
        told.tell(run.id, "of the first")
        viewer = await Viewer(here.engine, run.id).tokens(1)
        await viewer.leave()  # it would have its own process take the run over
        await here.flushed()
        await here.crash()
        await lapse(run.id, here)
        await there.engine.conductor.revive(run.id)
        told.tell(run.id, "of the second", attempt=2)
        await until(lambda: there.engine.local[run.id].text)
        await there.flushed()
        assert (await elsewhere.engine.get(ALICE, run.id)).text == "of the second"

    async def test_returns_the_outcome_on_every_replica(self, here: Replica, there: Replica) -> None:
        run = (await here.start("/words", {"n": 20})).run
        records = await seen(here.engine, run.id)
        for replica in (here, there):
            found = await replica.engine.get(ALICE, run.id)
            assert (found.state, found.text, found.problem) == ("completed", WORDS, None)
            assert found.duration_ms == last(records, "complete")["duration_ms"]
            assert found.last_event == records[-1].cursor

    async def test_knows_nothing_of_the_runs_of_others(self, here: Replica) -> None:
        run = (await here.start("/words", {"n": 1})).run
        same_name = replace(BOB, user_id="alice")
        same_tenant = replace(ALICE, user_id="carol")
        for other in (BOB, same_name, same_tenant):
            with pytest.raises(NotFound) as foreign:
                await here.engine.get(other, run.id)
            with pytest.raises(NotFound) as missing:
                await here.engine.get(other, "0198c0de-0000-7000-8000-000000000000")
            assert foreign.value.detail == missing.value.detail

    async def test_finds_a_run_with_another_credential_of_the_same_user(self, here: Replica) -> None:
        run = (await here.start("/words", {"n": 1})).run
        by_key = replace(ALICE, credential="api_key", credential_id="key-9", claims={})
        assert (await here.engine.get(by_key, run.id)).id == run.id


class TestThread:
    async def test_begins_and_keeps_a_run(self, here: Replica, history: Conversations) -> None:
        run = (await here.start("/words", {"n": 20}, thread_id="t1")).run
        await seen(here.engine, run.id)
        assert [begun.id for begun in history.begun] == [run.id]
        [(kept, steps)] = history.kept
        assert (kept.id, kept.state, kept.text) == (run.id, "completed", WORDS)
        assert [step.type for step in steps] == ["start"]

    async def test_is_made_for_a_run_that_asks_for_one(self, here: Replica, history: Conversations) -> None:
        started = await here.start("/words", {"n": 1}, new_thread=True)
        [begun] = history.begun
        assert begun.opens_thread
        assert begun.thread_id == started.run.thread_id is not None

    async def test_that_cannot_be_written_does_not_stop_the_run(
        self, here: Replica, history: Conversations
    ) -> None:
        history.failure = ValueError("a value that does not fit")
        run = (await here.start("/words", {"n": 2}, thread_id="t1")).run
        records = await seen(here.engine, run.id)
        assert last(records, "end")["status"] == "completed"

    async def test_is_left_alone_by_a_run_without_one(self, here: Replica, history: Conversations) -> None:
        run = (await here.start("/words", {"n": 1})).run
        await seen(here.engine, run.id)
        assert (history.begun, history.kept) == ([], [])


class TestExpiry:
    async def test_is_set_from_the_start_and_again_at_the_end(self, replicas: Replicas, told: Told) -> None:
        here = await replicas.open(keep=60, deadline=100)
        run = (await here.start("/told")).run
        told.tell(run.id, "a")
        await Viewer(here.engine, run.id).tokens(1)
        for key in (run_key(run.id), log_key(run.id)):
            assert 150 < await here.redis.ttl(key) <= 160
        assert 0 < await here.redis.pttl(lease_key(run.id)) <= here.engine.settings.lease * 1000
        told.end(run.id)
        await seen(here.engine, run.id)
        for key in (run_key(run.id), log_key(run.id)):
            assert 50 < await here.redis.ttl(key) <= 60
        assert await here.redis.exists(lease_key(run.id)) == 0

    async def test_ends_a_view_whose_run_is_gone(self, here: Replica, there: Replica, told: Told) -> None:
        run = (await here.start("/told")).run
        viewers = [Viewer(replica.engine, run.id) for replica in (here, there)]
        for viewer in viewers:
            await viewer.until(lambda viewer: viewer.types == ["start"])
        await here.redis.flushall()
        for viewer in viewers:
            with pytest.raises(NotFound):
                await viewer.end()
            assert viewer.types == ["start"]
        assert here.engine.local == {}


class TestErase:
    async def test_leaves_nothing_of_an_ended_run(self, here: Replica) -> None:
        run = (await here.start("/words", {"n": 5})).run
        await seen(here.engine, run.id)
        await here.engine.erase([run.id])
        with pytest.raises(NotFound):
            await seen(here.engine, run.id)
        assert [key async for key in here.redis.scan_iter(f"*{run.id}*")] == []

    @pytest.mark.parametrize("erasing", ["here", "there"])
    async def test_stops_a_running_run_and_leaves_nothing_of_it(
        self, here: Replica, there: Replica, told: Told, erasing: str
    ) -> None:
        run = (await here.start("/told", {"input": "secret"})).run
        viewers = [Viewer(replica.engine, run.id) for replica in (here, there)]
        told.tell(run.id, *"abc")
        for viewer in viewers:
            await viewer.tokens(3)
        await (here if erasing == "here" else there).engine.erase([run.id])
        for viewer in viewers:
            assert last(await viewer.end(), "end")["status"] == "cancelled"
        told.tell(run.id, *"def")
        await asyncio.sleep(0.1)
        assert [key async for key in here.redis.scan_iter(f"*{run.id}:log")] == []
        with pytest.raises(NotFound):
            await there.engine.get(ALICE, run.id)

    async def test_is_not_undone_by_a_process_that_did_not_hear_of_it(
        self, here: Replica, there: Replica, told: Told, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gatehouse.runs.engine.ERASE_SECONDS", 0.0)
        run = (await here.start("/told", {"input": "secret"})).run
        told.tell(run.id, *"abc")
        await (await Viewer(there.engine, run.id).tokens(3)).leave()
        here.engine.reader.on_cancel = lambda run_id: None
        await here.pause()
        await there.engine.erase([run.id])
        told.tell(run.id, *"def")
        await until(lambda: run.id not in here.engine.local)
        assert [key async for key in here.redis.scan_iter(f"*{run.id}*")] == []
