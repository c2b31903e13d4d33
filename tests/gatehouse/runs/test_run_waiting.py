"""Runs that wait for people: they hold nothing, and go on anywhere, once, with what was decided."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from asking_graphs import Bank, transfers
from langgraph.checkpoint.base import BaseCheckpointSaver
from migrated_databases import migrated_copy, url_of
from run_replicas import ALICE, LEASE, Replica, Replicas, until
from run_viewers import Viewer, data
from scripted_model import ScriptedModel
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.approvals.models import Approval, Choice, Decision
from gatehouse.approvals.service import Approvals
from gatehouse.limits.admission import Admission
from gatehouse.limits.limiter import Limiter
from gatehouse.problems.approvals import ApprovalDecided, ApprovalRequired
from gatehouse.runs.checkpoints.opening import open_checkpoints
from gatehouse.runs.records import load
from gatehouse.runs.sources.graphs.streaming_agent import StreamingAgent
from gatehouse.runs.sources.tap import Tap
from gatehouse.runs.sources.tools_within import tools_within
from gatehouse.settings.plans import Plan, Plans
from gatehouse.storage.database import open_engine

HI = {"input": "Pay Bob."}
USAGE = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}


@pytest.fixture
def lease() -> float:
    return LEASE


@pytest.fixture
def bank() -> Bank:
    return Bank()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(url_of(migrated_copy(tmp_path / "gatehouse.db")))
    yield engine
    await engine.dispose()


@pytest.fixture
async def checkpoints(tmp_path: Path) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    async with open_checkpoints(url_of(tmp_path / "gatehouse.db")) as saver:
        yield saver


@pytest.fixture(params=["batched", "per_call"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def office(
    replicas: Replicas, bank: Bank, checkpoints: BaseCheckpointSaver[Any], database: AsyncEngine, mode: str
) -> AsyncIterator[Replicas]:
    """Replicas over one database that serve an agent of two transfers, and a graph that asks three things."""
    model = ScriptedModel(script=transfers(100, 200))
    agent = StreamingAgent(bank.agent(model, checkpoints, mode))
    replicas.checkpoints = checkpoints
    replicas.runnables = {"/agent": agent, "/form": bank.form(checkpoints)}
    tools = {"/agent": tools_within(agent)}
    replicas.asking = lambda: Approvals(database, timedelta(hours=1), tools=tools)
    yield replicas
    await replicas.close()  # before its database is


async def asked_by(replica: Replica, run_id: str) -> list[Approval]:
    """Return what a run waits for, when it waits."""

    async def waits() -> bool:
        run = await load(replica.redis, run_id)
        return run is not None and run.state == "waiting"

    await until(waits)
    assert replica.approvals is not None
    return [item for item in await replica.approvals.asked_by("acme", run_id) if item.status == "pending"]


async def asks_for(replica: Replica, run_id: str, amount: int) -> bool:
    """Tell whether a run waits for a decision on a transfer of so much."""
    return [item.args for item in await asked_by(replica, run_id)] == [{"to": "Bob", "amount": amount}]


async def ended(replica: Replica, run_id: str) -> str:
    """Return how a run ended, when it has."""

    async def finished() -> bool:
        return (await replica.engine.get(ALICE, run_id)).finished

    await until(finished)
    return (await replica.engine.get(ALICE, run_id)).state


async def decide(replica: Replica, approval: Approval, choice: Choice = "approve", **said: Any) -> Approval:
    assert replica.approvals is not None
    wanted = Decision(decision=choice, digest=approval.digest, **said)
    return await replica.approvals.decide(ALICE, approval.id, wanted)


class TestAgent:
    async def test_goes_on_in_the_same_run_with_what_was_decided(self, office: Replicas, bank: Bank) -> None:
        here, there = await office.open(), await office.open()
        run = (await here.start("/agent", HI)).run
        first = await Viewer(here.engine, run.id).end()
        assert [record.type for record in first][-3:] == ["approval", "approval", "end"]
        assert data(first[-1])["status"] == "waiting"
        approvals = await asked_by(there, run.id)
        assert [(item.tool_call_id, item.args) for item in approvals] == [
            ("call-100", {"to": "Bob", "amount": 100}), ("call-200", {"to": "Bob", "amount": 200}),
        ]  # fmt: skip
        assert all("edit" in item.allowed and item.schema_ for item in approvals)
        assert bank.paid == []
        await decide(there, approvals[0], "edit", args={"to": "Eve", "amount": 1})
        await decide(there, approvals[1], "reject", message="too much")
        after = await Viewer(here.engine, run.id, first[-1].cursor).end()
        assert [record.type for record in after][:2] == ["decided", "decided"]
        assert "restart" not in [record.type for record in after]
        assert data(after[-2])["content"] == "I transfer.\n\nIt is done."
        assert bank.paid == [("Eve", 1)]
        whole = await Viewer(there.engine, run.id).end()
        cursors = [item.cursor for item in [*first, *after]]
        assert all(one.follows(before) for before, one in pairwise(cursors))
        assert [item.cursor for item in whole] == [item.cursor for item in [*first[:-1], *after]]

    async def test_is_charged_for_its_tokens_once(
        self, office: Replicas, bank: Bank, checkpoints: BaseCheckpointSaver[Any], mode: str
    ) -> None:
        """What it has used before it waited, and waited again, was charged as each wait began."""
        said = [*transfers(100)[:1], *transfers(200)]
        script = [message.model_copy(update={"usage_metadata": USAGE}) for message in said]
        agent = StreamingAgent(bank.agent(ScriptedModel(script=script), checkpoints, mode))
        office.runnables = {"/agent": agent}
        here = await office.open()
        plans = Plans({"default": Plan()})
        limiter = Limiter(here.redis, plans, here.engine.conductor.reservations, "refuse")
        run_id = (await here.start("/agent", HI, admission=Admission(limiter, ALICE))).run.id
        standings = []
        for amount in (100, 200):
            await until(partial(asks_for, here, run_id, amount))
            [approval] = await asked_by(here, run_id)
            standings.append(await limiter.look(ALICE))
            await decide(here, approval)
        await ended(here, run_id)
        standings.append(await limiter.look(ALICE))
        held = [standing and tuple(standing.user[1:]) for standing in standings]  # runs, tokens, reserved
        assert held == [(0, 7, 0), (0, 14, 0), (0, 21, 0)]
        assert (await here.engine.get(ALICE, run_id)).usage.total_tokens == 21

    async def test_that_waits_holds_nothing(self, office: Replicas) -> None:
        here = await office.open()
        run = (await here.start("/agent", HI)).run
        await asked_by(here, run.id)
        await until(lambda: not here.engine.local)
        assert await here.engine.attempts.owner_of(run.id) is None
        assert await here.engine.attempts.neglected(2e9) == []

    @pytest.mark.parametrize("tap", ["invoke", "stream", "events", "log"])
    async def test_tells_who_waits_for_the_whole_what_it_waits_for(self, office: Replicas, tap: Any) -> None:
        here = await office.open()
        options = {"version": "v2"} if tap == "events" else {}
        tapped = Tap(tap, options)
        run = (await here.start("/agent", HI, tap=tapped, grace=0)).run
        with here.engine.watched(run.id), pytest.raises(ApprovalRequired) as required:
            async for _ in tapped.chunks():
                pass
        approvals = await asked_by(here, run.id)
        assert required.value.extra["approval_ids"] == [item.id for item in approvals]
        for approval in approvals:
            await decide(here, approval)
        whole = await Viewer(here.engine, run.id).end()
        assert data(whole[-1])["status"] == "completed"


class TestForm:
    @pytest.mark.parametrize("mode", ["batched"], indirect=True)
    async def test_is_asked_again_until_all_is_answered(self, office: Replicas, bank: Bank) -> None:
        here = await office.open()
        run = (await here.start("/form", {"said": []})).run
        first = await asked_by(here, run.id)
        assert {str(item.value) for item in first} == {"{'name': '?'}", "inside?"}
        for item in first:
            await decide(here, item, "respond", response=f"re {item.value}")
        second: list[Approval] = []

        async def asked_the_second() -> bool:
            second[:] = [item for item in await asked_by(here, run.id) if item.value == "sure?"]
            return bool(second)

        await until(asked_the_second)
        await decide(here, second[0], "respond", response=False)
        whole = await Viewer(here.engine, run.id).end()
        said = {str(item) for item in data(whole[-2])["value"]["said"]}
        assert said == {"re {'name': '?'}", "False", "beside", "re inside?"}
        assert bank.done == ["beside"]
        paths = [data(item).get("path") for item in whole if item.type == "approval"]
        assert ["within"] in paths


@pytest.mark.parametrize("mode", ["per_call"], indirect=True)
class TestCrash:
    async def test_between_the_decision_and_going_on_loses_nothing(
        self, office: Replicas, bank: Bank
    ) -> None:
        here = await office.open()
        run = (await here.start("/agent", HI)).run
        approvals = await asked_by(here, run.id)
        await here.crash()
        alone = office.asking() if office.asking else None  # of a process that is gone before it goes on
        assert alone is not None
        for item in approvals:
            await alone.decide(ALICE, item.id, Decision(decision="approve", digest=item.digest))
        there = await office.open()
        await ended(there, run.id)
        whole = await Viewer(there.engine, run.id).end()
        assert sorted(bank.paid) == [("Bob", 100), ("Bob", 200)]
        assert [item.type for item in whole].count("decided") == 2

    async def test_of_redis_loses_nothing_that_waits(self, office: Replicas, bank: Bank) -> None:
        here = await office.open()
        run = (await here.start("/agent", HI)).run
        approvals = await asked_by(here, run.id)
        await here.redis.flushall()
        assert (await here.engine.get(ALICE, run.id)).state == "waiting"
        for item in approvals:
            await decide(here, item)
        assert await ended(here, run.id) == "completed"
        assert len(bank.paid) == 2

    async def test_of_redis_leaves_a_run_that_can_be_cancelled(self, office: Replicas, bank: Bank) -> None:
        here = await office.open()
        run = (await here.start("/agent", HI)).run
        approvals = await asked_by(here, run.id)
        await here.redis.flushall()
        await here.engine.cancel(run.id)
        assert await ended(here, run.id) == "cancelled"
        with pytest.raises(ApprovalDecided):
            await decide(here, approvals[0])
        assert bank.paid == []

    async def test_before_it_waits_asks_the_same_again(self, office: Replicas, bank: Bank) -> None:
        here = await office.open()
        assert here.approvals is not None
        held = asyncio.Event()

        async def wait(*_: Any) -> int:
            held.set()
            await asyncio.sleep(60)
            return 0

        here.engine.attempts.wait = wait  # type: ignore[method-assign, assignment]
        run = (await here.start("/agent", HI)).run
        await held.wait()
        before = await here.approvals.asked_by("acme", run.id)
        await here.crash()
        there = await office.open()
        assert await asked_by(there, run.id) == before
        for item in before:
            await decide(there, item)
        assert await ended(there, run.id) == "completed"
        assert sorted(bank.paid) == [("Bob", 100), ("Bob", 200)]


@pytest.mark.parametrize("mode", ["per_call"], indirect=True)
class TestEnd:
    async def test_of_a_cancelled_run_closes_what_it_asked(self, office: Replicas, bank: Bank) -> None:
        here, there = await office.open(), await office.open()
        run = (await here.start("/agent", HI)).run
        await asked_by(here, run.id)
        await there.engine.cancel(run.id)
        whole = await Viewer(here.engine, run.id).end()
        assert data(whole[-1])["status"] == "cancelled"
        assert here.approvals is not None
        statuses = [item.status for item in await here.approvals.asked_by("acme", run.id)]
        assert statuses == ["cancelled", "cancelled"]
        assert bank.paid == []

    async def test_of_a_run_nobody_decides_on_is_a_failure_that_says_so(self, office: Replicas) -> None:
        here = await office.open()
        assert here.approvals is not None
        here.approvals.lifetime = timedelta(seconds=0.1)
        run = (await here.start("/agent", HI)).run
        assert await ended(here, run.id) == "failed"
        whole = await Viewer(here.engine, run.id).end()
        assert data(whole[-2])["problem"]["type"] == "urn:gatehouse:problem:approval-expired"
        statuses = {item.status for item in await here.approvals.asked_by("acme", run.id)}
        assert statuses == {"expired"}

    async def test_of_a_run_whose_credential_was_revoked_is_not_to_act(
        self, office: Replicas, bank: Bank
    ) -> None:
        here = await office.open()
        run = (await here.start("/agent", HI)).run
        approvals = await asked_by(here, run.id)
        office.revoked.add(ALICE.credential_id)
        for item in approvals:
            await decide(here, item)

        assert await ended(here, run.id) == "failed"
        assert bank.paid == []
