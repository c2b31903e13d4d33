"""One attempt: in which order its events are shown, and which of several reasons to stop counts."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from redis.exceptions import ConnectionError as RedisGone
from run_replicas import ALICE, Replica, lapse, until
from run_runnables import Told
from run_viewers import Viewer, assembled, assert_dense, seen, types

from gatehouse.plain_json import from_json
from gatehouse.problems.errors import RunFailed
from gatehouse.runs.answer_cache import answer_key
from gatehouse.runs.events import BEGINNING, EffectUnknown, Reasoning, Token, ToolEnd, ToolStart
from gatehouse.runs.lifecycle.execution import Execution, Stop, can_be_kept
from gatehouse.runs.log.log import RunLog
from gatehouse.runs.records import RunRecord, load
from gatehouse.runs.sources.serving import Caching
from gatehouse.runs.sources.sources import Mode
from gatehouse.runs.sources.tap import ROOM, Tap
from gatehouse.runs.waits import NobodyDecides


@pytest.fixture
def lease() -> float:
    return 30.0


async def execution_of(replica: Replica, told: Told, **options: Any) -> Execution:
    run_id = (await replica.start("/told", **options)).run.id
    await until(lambda: told.inputs)
    return replica.engine.local[run_id]


class TestDoubtfulLease:
    async def test_withholds_all_events_until_the_first_of_them_is_shown(
        self, here: Replica, told: Told
    ) -> None:
        """A runnable that emits by itself does not wait while the lease is in doubt, as `events` mode does."""
        execution = await execution_of(here, told)
        viewer = await Viewer(here.engine, execution.run.id).until(lambda viewer: viewer.types == ["start"])
        execution.held_until = 0.0
        execution.emit(Reasoning("a"))
        execution.held_until = time.monotonic() + 60  # renewed, and nobody has shown what was withheld
        execution.emit(Reasoning("b"))
        await asyncio.sleep(0.05)
        assert viewer.types == ["start"]
        told.tell(execution.run.id, "c")
        told.end(execution.run.id)
        records = await viewer.end()
        assert_dense(records)
        assert [from_json(record.data)["content"] for record in records if record.type == "reasoning"] == [
            "a",
            "b",
        ]
        assert assembled(records) == "c"
        assert await seen(here.engine, execution.run.id) == records

    async def test_is_one_that_was_not_renewed_since_it_was_taken(
        self, here: Replica, there: Replica, told: Told, lease: float
    ) -> None:
        """Of a new run as of one that is taken over: counted from before Redis was asked."""
        run_id = (await here.start("/told")).run.id
        first = here.engine.local[run_id]
        assert first.held_until <= time.monotonic() + lease
        await lapse(run_id, here)
        await there.engine.conductor.revive(run_id)
        assert there.engine.local[run_id].held_until <= time.monotonic() + lease

    async def test_shows_nothing_of_a_run_that_is_lost_meanwhile(self, here: Replica, told: Told) -> None:
        execution = await execution_of(here, told)
        execution.held_until = 0.0
        execution.emit(Token("a"))
        execution.halt("lost")
        await until(lambda: execution.run.id not in here.engine.local)
        assert types(execution.feed.after(execution.feed.base)) == ["start"]


REASONS: list[Stop] = ["cancelled", "deadline", "credential", "handover", "restarting"]


class TestReason:
    @pytest.mark.parametrize("first", REASONS)
    async def test_that_the_run_is_lost_counts_above_any_other(
        self, here: Replica, told: Told, first: Stop
    ) -> None:
        execution = await execution_of(here, told)
        execution.phase = "produced"  # it is being ended
        execution.halt(first)
        execution.halt("lost")
        assert (execution.stop, execution.given_up) == ("lost", True)

    @pytest.mark.parametrize("later", REASONS)
    async def test_is_the_first_otherwise(self, here: Replica, told: Told, later: Stop) -> None:
        for first in (*REASONS, "lost"):
            execution = await execution_of(here, told)
            execution.phase = "produced"
            execution.halt(first)
            execution.halt(later)
            assert execution.stop == first

    async def test_of_a_run_that_another_has_leaves_its_end_to_that_one(
        self, here: Replica, there: Replica, told: Told
    ) -> None:
        """It was cancelled here, and taken over before that was in Redis."""
        execution = await execution_of(here, told)
        await here.redis.delete(f"gh:{{{execution.run.id}}}:lease")
        assert await there.engine.attempts.take(execution.run.id) == 2
        execution.halt("cancelled")
        execution.halt("lost")
        await until(lambda: execution.run.id not in here.engine.local)
        run = await load(here.redis, execution.run.id)
        assert run is not None
        assert run.state == "running"


class TestEnd:
    async def test_that_redis_refuses_leaves_its_records_to_who_takes_the_run_over(
        self, here: Replica, told: Told, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gatehouse.runs.log.log.FLUSH_SECONDS", 60)  # none is in the log before the end
        tried = asyncio.Event()

        async def refuse(*_: object) -> bool:
            tried.set()
            raise RedisGone

        monkeypatch.setattr(here.engine.attempts, "finish", refuse)
        execution = await execution_of(here, told)
        told.tell(execution.run.id, "a")
        told.end(execution.run.id)
        await tried.wait()
        execution.halt("handover")
        await until(lambda: execution.run.id not in here.engine.local)
        records = await RunLog(here.redis).after(execution.run.id, BEGINNING)
        assert types([record for record in records if record.cursor.attempt == 1]) == ["start", "token"]


def begun(call_id: str) -> ToolStart:
    return ToolStart(content="", tool="transfer", call_id=call_id, input={})


def returned(call_id: str) -> ToolEnd:
    return ToolEnd(content="", tool="transfer", call_id=call_id, output="", is_error=False)


class Unsure(NobodyDecides):
    """Nobody knows of two calls that a run has left."""

    async def ask_what_is_left(self, *_: object) -> list[EffectUnknown]:
        return [EffectUnknown(content="?", tool="transfer", call_id=call_id) for call_id in ("c1", "c2")]


async def test_of_a_call_that_is_left_its_viewers_are_told_once(here: Replica, told: Told) -> None:
    conductor = here.engine.conductor
    conductor.ending = replace(conductor.ending, waits=Unsure())
    execution = await execution_of(here, told)
    execution.acted = True
    execution.emit(EffectUnknown(content="?", tool="transfer", call_id="c1"))
    told.end(execution.run.id)
    records = await seen(here.engine, execution.run.id)
    unknown = [record for record in records if record.type == "unknown"]
    assert [from_json(record.data)["call_id"] for record in unknown] == ["c1", "c2"]


class TestClearPoint:
    async def test_is_when_the_last_of_parallel_tools_has_returned(self, here: Replica, told: Told) -> None:
        execution = await execution_of(here, told)
        for event in (begun("c1"), begun("c2"), returned("c1")):
            execution.emit(event)
        execution.leave("handover")
        told.tell(execution.run.id, "a")
        await asyncio.sleep(0.05)
        assert execution.stop is None
        execution.emit(returned("c2"))
        told.tell(execution.run.id, "b")
        await until(lambda: execution.stop == "handover")


class TestAnswerThatIsKept:
    """A run of the same input is told it again."""

    RUN = RunRecord("r", ALICE, "/told", {}, None, 0.0, 60.0, 30)

    @pytest.mark.parametrize(
        ("run", "mode", "kept"),
        [
            (RUN, "told", True),
            (replace(RUN, attempt=2), "told", False),  # of which a first attempt has told a part
            (replace(RUN, attachments=({"id": "f"},)), "told", False),  # which may be another by now
            (RUN, "events", False),
            (RUN, "log", False),
        ],
    )
    def test_is_one_that_says_all_that_the_run_tells(self, run: RunRecord, mode: Mode, kept: bool) -> None:
        assert can_be_kept(run, mode, None) is kept

    def asked(self, **changes: Any) -> str:
        """Return the name of the answer to a run, a part of which is another."""
        whole: dict[str, Any] = {
            "run": replace(self.RUN, input="ask", client={"tags": ["a"]}),
            "caching": Caching(60, "1"),
            "mode": "stream",
            "configurable": {"user_id": "alice", "run_id": "r"},
            "before": [HumanMessage("Hello")],
        }
        run = {name: changes.pop(name) for name in list(changes) if name not in whole}
        return answer_key(**{**whole, "run": replace(whole["run"], **run), **changes})

    @pytest.mark.parametrize(
        "other",
        [
            {"runnable": "/words"},
            {"input": "ask more"},
            {"client": {"tags": ["b"]}},
            {"principal": replace(ALICE, user_id="bob")},
            {"principal": replace(ALICE, tenant_id="beta")},
            {"caching": Caching(60, "2")},
            {"mode": "invoke"},
            {"configurable": {"user_id": "alice", "scopes": []}},
            {"before": [HumanMessage("Good day")]},
            {"before": [AIMessage("Hello")]},
            {"before": []},
        ],
        ids=str,
    )
    def test_is_that_of_the_same_in_every_part(self, other: dict[str, Any]) -> None:
        assert self.asked(**other) != self.asked()

    @pytest.mark.parametrize(
        "other",
        [
            {"id": "s"},
            {"thread_id": "t"},
            {"mode": "told"},
            {"configurable": {"user_id": "alice", "run_id": "s", "thread_id": "t", "attempt": 1}},
        ],
        ids=str,
    )
    def test_is_that_of_any_run_and_stream(self, other: dict[str, Any]) -> None:
        assert self.asked(**other) == self.asked()


class TestTap:
    async def test_gives_what_was_ready_before_it_tells_the_failure(self) -> None:
        tap = Tap("stream")
        for word in "abc":
            tap.put(word)
        tap.end(RunFailed())
        taken = []
        with pytest.raises(RunFailed):
            async for chunk in tap.chunks():
                taken.append(chunk)  # it ends with an exception
        assert taken == ["a", "b", "c"]

    async def test_has_room_for_one_chunk_however_large(self) -> None:
        tap = Tap("stream")
        for room in (True, False):
            tap.put("a" * (ROOM + 1))
            waiting = asyncio.ensure_future(tap.room())
            await asyncio.sleep(0)
            assert waiting.done() is room
        tap.close()
        await waiting

    def test_keeps_nothing_for_a_reader_who_has_left(self) -> None:
        tap = Tap("stream")
        tap.put("a")
        tap.close()
        tap.put("b")
        assert not tap.ready
