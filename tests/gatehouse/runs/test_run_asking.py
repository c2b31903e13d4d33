"""Questions of runs that are asked for an answer in one piece: stored with the answer, or before it is lost."""

import asyncio
from typing import Any

import pytest
from run_replicas import ALICE, LEASE, Conversations, Replica, until
from run_runnables import Told
from run_viewers import last, seen

from gatehouse.runs.conversation.history import HistoryAway
from gatehouse.runs.lifecycle import asking
from gatehouse.runs.lifecycle.attempts import lease_key
from gatehouse.runs.records import RunRecord, load

IN_ONE_PIECE: dict[str, Any] = {"new_thread": True, "in_one_piece": True}


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any run goes on for longer than an answer that comes at once."""
    monkeypatch.setattr(asking, "LATE_SECONDS", 0.0)


async def problem_of(replica: Replica, run_id: str) -> int:
    """Return the status of the problem that a run ended with."""
    status: int = last(await seen(replica.engine, run_id), "error")["problem"]["status"]
    return status


async def known(replica: Replica, run_id: str) -> RunRecord:
    run = await load(replica.redis, run_id)
    assert run is not None
    return run


class TestShortRun:
    async def test_stores_its_question_with_its_answer(self, here: Replica, history: Conversations) -> None:
        run = (await here.start("/words", {"n": 2}, **IN_ONE_PIECE)).run
        await seen(here.engine, run.id)
        assert history.beginning == []
        assert [(kept.asks_late, kept.text) for kept, _ in history.kept] == [(True, "w0 w1 ")]

    async def test_that_fails_does_so_too(self, here: Replica, told: Told, history: Conversations) -> None:
        run = (await here.start("/told", **IN_ONE_PIECE)).run
        told.tell(run.id, "a", ValueError("no"))
        await seen(here.engine, run.id)
        assert history.beginning == []
        assert [(kept.asks_late, kept.state, kept.text) for kept, _ in history.kept] == [
            (True, "failed", "a")
        ]

    @pytest.mark.parametrize(
        "others",
        [{"idempotency": ("key", b"body")}, {"attachments": ({"id": "a1"},)}, {"in_one_piece": False}],
        ids=["that can be joined", "with files", "that is streamed"],
    )
    async def test_of_whose_thread_others_may_know_is_asked_first(
        self, here: Replica, told: Told, history: Conversations, others: dict[str, Any]
    ) -> None:
        run = (await here.start("/told", **{**IN_ONE_PIECE, **others})).run
        assert [begun.id for begun in history.begun] == [run.id]
        assert not run.asks_late

    async def test_says_so_when_the_database_is_away_and_waits_for_it_with_its_question(
        self, here: Replica, history: Conversations
    ) -> None:
        history.failure = HistoryAway()
        run = (await here.start("/words", {"n": 2}, **IN_ONE_PIECE)).run
        assert await problem_of(here, run.id) == 503
        history.failure = None
        await here.engine.conductor.keeping.keep_waiting()
        kept, _ = history.kept[0]
        assert (kept.asks_late, kept.state, kept.text) == (True, "failed", "w0 w1 ")


@pytest.mark.usefixtures("soon")
class TestLongerRun:
    async def test_stores_its_question_while_its_model_answers(
        self, here: Replica, told: Told, history: Conversations
    ) -> None:
        run = (await here.start("/told", **IN_ONE_PIECE)).run
        await until(lambda: history.begun)
        assert run.id in here.engine.local
        told.tell(run.id, "a")
        told.end(run.id)
        await seen(here.engine, run.id)
        assert len(history.begun) == 1
        assert [(kept.asks_late, kept.text) for kept, _ in history.kept] == [(False, "a")]

    async def test_ends_after_its_question_is_stored(
        self, here: Replica, told: Told, history: Conversations
    ) -> None:
        history.slowness = 0.2
        run = (await here.start("/told", **IN_ONE_PIECE)).run
        await until(lambda: history.beginning)
        told.end(run.id)
        await seen(here.engine, run.id)
        assert [kept.asks_late for kept, _ in history.kept] == [False]

    async def test_says_so_when_the_database_is_away(
        self, here: Replica, told: Told, history: Conversations
    ) -> None:
        history.failure = history.refusal = HistoryAway()
        run = (await here.start("/told", **IN_ONE_PIECE)).run
        assert await problem_of(here, run.id) == 503
        history.failure = None
        await here.engine.conductor.keeping.keep_waiting()
        assert [(kept.asks_late, kept.state) for kept, _ in history.kept] == [(True, "failed")]


class TestLostProcess:
    @pytest.fixture
    def lease(self) -> float:
        return LEASE

    async def test_leaves_the_question_to_the_next_attempt(
        self, here: Replica, there: Replica, told: Told, history: Conversations
    ) -> None:
        run = (await here.start("/told", **IN_ONE_PIECE)).run
        await here.crash()
        assert history.begun == []
        await until(lambda: told.configs[1:])
        assert [(begun.id, begun.attempt) for begun in history.begun] == [(run.id, 2)]
        assert not (await known(there, run.id)).asks_late
        told.end(run.id, attempt=2)
        await seen(there.engine, run.id)
        assert [kept.asks_late for kept, _ in history.kept] == [False]

    @pytest.mark.usefixtures("soon")
    async def test_after_the_question_was_stored_stores_it_no_second_time(
        self, here: Replica, there: Replica, told: Told, history: Conversations
    ) -> None:
        run = (await here.start("/told", **IN_ONE_PIECE)).run
        await until(lambda: history.begun)
        await until(lambda: not here.engine.local[run.id].run.asks_late)
        while (await known(here, run.id)).asks_late:
            await asyncio.sleep(0.01)
        await here.crash()
        await until(lambda: told.configs[1:])
        assert len(history.begun) == 1

    async def test_of_a_run_that_was_erased_meanwhile_brings_no_thread_back(
        self, here: Replica, there: Replica, told: Told, history: Conversations
    ) -> None:
        """Its thread may have been stored, and deleted, without a word of that in the run's record."""
        run = (await here.start("/told", **IN_ONE_PIECE)).run
        await here.crash()
        await here.redis.delete(lease_key(run.id))
        await there.engine.cancel(run.id)
        await until(lambda: run.id not in there.engine.local)
        assert (await there.engine.get(ALICE, run.id)).state == "cancelled"
        assert history.begun == []
        assert history.kept == []

    async def test_is_followed_by_a_handover_with_the_question(
        self, here: Replica, there: Replica, told: Told, history: Conversations
    ) -> None:
        run = (await here.start("/told", **IN_ONE_PIECE)).run
        await until(lambda: told.configs)
        await here.engine.hand_over()
        assert [(begun.id, begun.attempt) for begun in history.begun] == [(run.id, 1)]
