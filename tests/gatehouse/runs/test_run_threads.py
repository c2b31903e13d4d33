"""One run a thread at a time, and one run for each Idempotency-Key."""

import asyncio
from dataclasses import replace

import pytest
from run_replicas import ALICE, BOB, Conversations, Replica, Replicas, until
from run_runnables import Told
from run_viewers import Viewer, last, seen

from gatehouse.problems.errors import Conflict, InvalidInput, NotFound
from gatehouse.runs.lifecycle.control import thread_key
from gatehouse.runs.lifecycle.starting import Started


async def status(replica: Replica, run_id: str) -> str:
    ending: str = last(await seen(replica.engine, run_id), "end")["status"]
    return ending


async def are_waiting(replica: Replica, count: int) -> bool:
    return await replica.redis.llen(f"{thread_key(ALICE, 't1')}:queue") == count


class TestReject:
    @pytest.mark.parametrize("asking", ["here", "there"])
    async def test_refuses_a_second_run_and_names_the_first(
        self, here: Replica, there: Replica, told: Told, history: Conversations, asking: str
    ) -> None:
        first = (await here.start("/told", thread_id="t1")).run
        with pytest.raises(Conflict) as refused:
            await (here if asking == "here" else there).start("/told", thread_id="t1")
        assert refused.value.extra == {"run_id": first.id}
        assert [run.id for run in history.begun] == [first.id]

    async def test_lets_the_next_run_begin_when_the_first_has_ended(
        self, here: Replica, there: Replica
    ) -> None:
        first = (await here.start("/words", {"n": 1}, thread_id="t1")).run
        await seen(here.engine, first.id)
        second = (await there.start("/words", {"n": 1}, thread_id="t1")).run
        assert await status(there, second.id) == "completed"

    async def test_leaves_other_threads_alone(self, here: Replica, told: Told) -> None:
        await here.start("/told", thread_id="t1")
        await here.start("/told", thread_id="t2")
        await here.start("/told")
        await here.start("/told")
        assert len(here.engine.local) == 4

    async def test_has_one_winner_however_slowly_a_run_begins(
        self, here: Replica, there: Replica, told: Told, history: Conversations
    ) -> None:
        history.slowness = 0.1
        starts = [replica.start("/told", thread_id="t1") for replica in (here, there) * 5]
        outcomes = await asyncio.gather(*starts, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes].count(Started) == 1
        assert [type(outcome) for outcome in outcomes].count(Conflict) == 9
        assert len(history.begun) == 1

    async def test_frees_a_thread_that_could_not_be_begun(
        self, here: Replica, there: Replica, told: Told, history: Conversations
    ) -> None:
        history.refusal = NotFound("There is no such thread.")
        with pytest.raises(NotFound):
            await here.start("/told", thread_id="t1")
        history.refusal = None
        await there.start("/told", thread_id="t1")

    async def test_frees_the_thread_of_a_failed_run(self, here: Replica, told: Told) -> None:
        run = (await here.start("/told", thread_id="t1")).run
        told.tell(run.id, ValueError("no"))
        assert await status(here, run.id) == "failed"
        await here.start("/told", thread_id="t1")


class TestOfAnotherUser:
    @pytest.mark.parametrize("multitask", ["reject", "enqueue", "interrupt"])
    async def test_is_neither_seen_nor_stopped(
        self, here: Replica, there: Replica, told: Told, history: Conversations, multitask: str
    ) -> None:
        """The thread's id alone must not tell that it has a run, nor end that run."""
        run = (await here.start("/told", thread_id="t1")).run
        history.refusal = NotFound("There is no such thread.")
        for other in (BOB, replace(ALICE, user_id="carol")):
            with pytest.raises(NotFound):
                await there.start("/told", thread_id="t1", principal=other, multitask=multitask)
        told.end(run.id)
        assert await status(here, run.id) == "completed"


class TestEnqueue:
    async def test_runs_one_after_another_in_the_order_they_came(
        self, here: Replica, there: Replica, told: Told, history: Conversations
    ) -> None:
        first = (await here.start("/told", thread_id="t1")).run
        waiting = []
        for i, replica in enumerate([there, here, there]):
            start = replica.start("/words", {"n": 1, "i": i}, thread_id="t1", multitask="enqueue")
            waiting.append(asyncio.create_task(start))
            await until(lambda: are_waiting(here, i + 1))  # noqa: B023  # it is called in this round alone
        assert [run.id for run in history.begun] == [first.id]
        told.end(first.id)
        for task in waiting:
            assert await status(here, (await task).run.id) == "completed"
        assert [run.input.get("i") for run in history.begun] == [None, 0, 1, 2]

    async def test_comes_before_one_that_does_not_wait(self, here: Replica, told: Told) -> None:
        first = (await here.start("/told", thread_id="t1")).run
        waiting = asyncio.create_task(here.start("/told", thread_id="t1", multitask="enqueue"))
        await asyncio.sleep(0.05)
        told.end(first.id)
        await seen(here.engine, first.id)
        with pytest.raises(Conflict):
            await here.start("/told", thread_id="t1")
        assert (await waiting).run.id in here.engine.local

    async def test_gives_up_at_its_deadline(self, replicas: Replicas, told: Told) -> None:
        here, hasty = await replicas.open(), await replicas.open(deadline=0.3)
        first = (await here.start("/told", thread_id="t1")).run
        with pytest.raises(Conflict, match="did not become free in time"):
            await hasty.start("/told", thread_id="t1", multitask="enqueue")
        told.end(first.id)
        await seen(here.engine, first.id)
        await here.start("/told", thread_id="t1")

    async def test_loses_its_place_when_its_request_is_gone(self, here: Replica, told: Told) -> None:
        first = (await here.start("/told", thread_id="t1")).run
        gone = asyncio.create_task(here.start("/told", thread_id="t1", multitask="enqueue"))
        await asyncio.sleep(0.05)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        told.end(first.id)
        await seen(here.engine, first.id)
        await here.start("/told", thread_id="t1")

    async def test_loses_its_place_when_its_process_is_gone(
        self, here: Replica, there: Replica, told: Told, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gatehouse.runs.lifecycle.control.WAITING_SECONDS", 0.3)
        first = (await here.start("/told", thread_id="t1")).run
        dead = replace(first, id="0198c0de-0000-7000-8000-000000000000")
        assert await there.engine.control.claim_thread(dead, 30) == first.id
        waiting = asyncio.create_task(here.start("/told", thread_id="t1", multitask="enqueue"))
        told.end(first.id)
        await asyncio.sleep(0.15)
        assert not waiting.done()
        await asyncio.wait_for(waiting, 2)


class TestInterrupt:
    @pytest.mark.parametrize("asking", ["here", "there"])
    async def test_replaces_the_run_of_the_thread(
        self, here: Replica, there: Replica, told: Told, history: Conversations, asking: str
    ) -> None:
        first = (await here.start("/told", thread_id="t1")).run
        told.tell(first.id, "a")
        viewer = await Viewer(there.engine, first.id).tokens(1)
        asked = here if asking == "here" else there
        second = (await asked.start("/words", {"n": 1}, thread_id="t1", multitask="interrupt")).run
        assert last(await viewer.end(), "end")["status"] == "cancelled"
        assert await status(here, second.id) == "completed"
        assert [(kept.id, kept.text) for kept, _ in history.kept] == [(first.id, "a"), (second.id, "w0 ")]

    async def test_is_a_plain_start_on_a_free_thread(self, here: Replica) -> None:
        run = (await here.start("/words", {"n": 1}, thread_id="t1", multitask="interrupt")).run
        assert await status(here, run.id) == "completed"


class TestIdempotencyKey:
    async def test_finds_the_first_run_with_the_same_body(
        self, here: Replica, there: Replica, told: Told
    ) -> None:
        first = await here.start("/told", {"input": "x"}, idempotency=("k", b"body"))
        second = await there.start("/told", {"input": "x"}, idempotency=("k", b"body"))
        assert second.run.id == first.run.id
        assert second.run.input == {"input": "x"}
        assert second.tap is None
        assert len(here.engine.local) + len(there.engine.local) == 1

    async def test_finds_an_ended_run(self, here: Replica, there: Replica) -> None:
        first = await here.start("/words", {"n": 1}, idempotency=("k", b"body"))
        await seen(here.engine, first.run.id)
        again = await there.start("/words", {"n": 1}, idempotency=("k", b"body"))
        assert (again.run.id, again.run.state) == (first.run.id, "completed")

    async def test_refuses_another_body(self, here: Replica, there: Replica, told: Told) -> None:
        await here.start("/told", idempotency=("k", b"body"))
        with pytest.raises(InvalidInput):
            await there.start("/told", idempotency=("k", b"another body"))
        with pytest.raises(InvalidInput):
            await there.start("/told", idempotency=("k", b""))

    async def test_is_each_principals_own(self, here: Replica, told: Told) -> None:
        first = await here.start("/told", idempotency=("k", b"body"))
        others = [
            await here.start("/told", idempotency=("k", b"other"), principal=other)
            for other in (BOB, replace(BOB, user_id="alice"), replace(ALICE, user_id="carol"))
        ]
        assert len({first.run.id, *(other.run.id for other in others)}) == 4

    async def test_is_freed_when_the_start_failed(
        self, here: Replica, there: Replica, told: Told, history: Conversations
    ) -> None:
        history.refusal = NotFound("There is no such thread.")
        with pytest.raises(NotFound):
            await here.start("/told", thread_id="t1", idempotency=("k", b"body"))
        history.refusal = None
        assert (await there.start("/told", idempotency=("k", b"another body"))).run.id

    async def test_has_one_run_when_two_replicas_race(
        self, here: Replica, there: Replica, told: Told, history: Conversations
    ) -> None:
        history.slowness = 0.1
        starts = [
            replica.start("/told", thread_id="t1", idempotency=("k", b"body"))
            for replica in (here, there) * 10
        ]
        started = await asyncio.gather(*starts)
        assert len({one.run.id for one in started}) == 1
        assert len(history.begun) == 1

    async def test_of_a_start_that_hangs_is_a_conflict(
        self,
        here: Replica,
        there: Replica,
        told: Told,
        history: Conversations,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("gatehouse.runs.lifecycle.starting.KNOWN_SECONDS", 0.3)
        history.slowness = 2.0
        first = asyncio.create_task(here.start("/told", thread_id="t1", idempotency=("k", b"body")))
        await asyncio.sleep(0.05)
        with pytest.raises(Conflict, match="has not started its run"):
            await there.start("/told", thread_id="t1", idempotency=("k", b"body"))
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
