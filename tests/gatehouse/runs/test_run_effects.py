"""Tools that act, in runs whose process is killed: what was begun is not begun again without a person's word."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from agent_graphs import agent_graph
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import StructuredTool, tool
from migrated_databases import migrated_copy, url_of
from redis.asyncio import Redis
from run_replicas import ALICE, LEASE, Replica, Replicas, until
from run_viewers import Viewer, last, types
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.approvals.models import Choice, Decision
from gatehouse.approvals.service import Approvals
from gatehouse.identity.caller import caller_of
from gatehouse.identity.principal import Principal
from gatehouse.ledger.effect import Call, Effect
from gatehouse.ledger.ledger import Ledger
from gatehouse.ledger.store import EffectStore
from gatehouse.models.scripted.chat import ScriptedChatModel
from gatehouse.registry.entry import Parts
from gatehouse.runs.acting import ActingOnce, BeforeActing
from gatehouse.runs.checkpoints.opening import open_checkpoints
from gatehouse.runs.checkpoints.serializing import serializer
from gatehouse.runs.lifecycle.execution import execution_of_context
from gatehouse.runs.records import RunRecord, load
from gatehouse.runs.sources.graphs.streaming_agent import StreamingAgent
from gatehouse.storage.database import open_engine
from gatehouse.tools.acting import Act, acts, guarded
from gatehouse.tools.approving import asking

ASK = {"input": '[tool transfer {"amount": 5}] [say Done.]'}


class Bank:
    """A tool that sends money, and stands still while it does or when it has done so."""

    def __init__(self, redis: Redis, ledger: Ledger) -> None:
        self.keys: list[str] = []
        self.go_on = asyncio.Event()
        self.returned = asyncio.Event()
        self.leave = asyncio.Event()
        self.once = ActingOnce(BeforeActing(redis, self.valid, self.recorded), ledger)

    async def valid(self, _principal: Principal) -> bool:
        return True

    async def recorded(self, run: RunRecord, tool: str, acts: bool) -> None:
        """Keep nothing."""

    async def conduct(self, act: Act) -> Any:
        result = await self.once(act)
        self.returned.set()
        await self.leave.wait()
        return result

    def tool(self, **declared: Any) -> Any:
        @tool
        async def transfer(amount: int, config: RunnableConfig) -> str:
            """Send money."""
            self.keys.append(caller_of(config).effect_key)
            await self.go_on.wait()
            return f"sent {amount}"

        acting: StructuredTool = acts(**declared)(transfer)
        return guarded(acting, self.conduct).model_copy(update={"handle_tool_error": True})


@pytest.fixture
def lease() -> float:
    return LEASE


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(url_of(migrated_copy(tmp_path / "gatehouse.db")))
    yield engine
    await engine.dispose()


@pytest.fixture
def bank(redis: Redis, database: AsyncEngine) -> Bank:
    return Bank(redis, Ledger(EffectStore(database), serializer(), lambda _tool, _outcome: None))


@pytest.fixture
async def office(replicas: Replicas, database: AsyncEngine, tmp_path: Path) -> AsyncIterator[Replicas]:
    """Replicas whose runs can wait for people."""
    async with open_checkpoints(url_of(tmp_path / "gatehouse.db")) as checkpoints:
        replicas.checkpoints = checkpoints
        replicas.asking = lambda: Approvals(database, timedelta(hours=1))
        yield replicas
        await replicas.close()  # before its database is


def serve(replicas: Replicas, tool: Any, *, kept: bool = True) -> None:
    """Have the replicas serve an agent with this tool, with or without checkpoints."""
    parts = Parts(ScriptedChatModel(), [tool], replicas.checkpoints if kept else None)
    replicas.runnables = {**replicas.runnables, "/agent": StreamingAgent(agent_graph(parts))}


async def killed_at_work(bank: Bank, replicas: Replicas) -> tuple[Viewer, Replica, str]:
    """Return the viewer of a run whose process was killed while its tool was at work, and another process."""
    here, there = await replicas.open(), await replicas.open()
    run = (await here.start("/agent", ASK)).run
    viewer = Viewer(there.engine, run.id)
    await until(lambda: bank.keys)
    await here.crash()
    bank.go_on.set()
    bank.leave.set()
    return viewer, there, run.id


async def decide(replica: Replica, run_id: str, choice: Choice, kind: str = "effect", **said: Any) -> None:
    """Say what came of the one thing that a run asks, when it waits."""

    async def waits() -> bool:
        run = await load(replica.redis, run_id)
        return run is not None and run.state == "waiting"

    await until(waits)
    assert replica.approvals is not None
    [asked] = [one for one in await replica.approvals.asked_by("acme", run_id) if one.status == "pending"]
    assert (asked.kind, asked.tool, asked.args) == (kind, "transfer", {"amount": 5})
    decision = Decision(decision=choice, digest=asked.digest, **said)
    await replica.approvals.decide(ALICE, asked.id, decision)


class TestWhatADeadProcessHadBegun:
    @pytest.mark.parametrize(
        ("choice", "said", "output", "sent"),
        [
            ("happened", {"result": "sent after all"}, "sent after all", 1),
            ("run_again", {}, "sent 5", 2),
            ("give_up", {}, "given it up", 1),
        ],
    )
    async def test_a_person_is_asked_about_and_the_run_goes_on(
        self, bank: Bank, office: Replicas, choice: Choice, said: dict[str, Any], output: str, sent: int
    ) -> None:
        serve(office, bank.tool())
        viewer, there, run_id = await killed_at_work(bank, office)
        records = await viewer.end()
        assert types(records)[-3:] == ["unknown", "approval", "end"]
        assert last(records, "unknown")["tool"] == "transfer"
        assert last(records, "end")["status"] == "waiting"
        assert len(bank.keys) == 1
        await decide(there, run_id, choice, **said)
        after = await Viewer(there.engine, run_id, records[-1].cursor).end()
        assert output in last(after, "tool_end")["output"]
        assert last(after, "complete")["content"].endswith("Done.")
        assert len(bank.keys) == sent
        assert len(set(bank.keys)) == 1

    async def test_after_an_approval_is_asked_about_too(self, bank: Bank, office: Replicas) -> None:
        """LangGraph gives the approval once more, in place of the answer to what came of it."""
        serve(office, asking(bank.tool(), ["approve"]))
        here, there = await office.open(), await office.open(max_attempts=5)
        run = (await here.start("/agent", ASK)).run
        await decide(here, run.id, "approve", kind="tool")
        await until(lambda: bank.keys)
        await here.crash()
        await there.crash()
        bank.go_on.set()
        bank.leave.set()
        third = await office.open(max_attempts=5)
        await decide(third, run.id, "happened", result="sent")
        assert last(await Viewer(third.engine, run.id).end(), "tool_end")["output"] == "sent"
        assert len(bank.keys) == 1

    async def test_and_a_second_has_begun_by_a_persons_word_is_asked_about_again(
        self, bank: Bank, office: Replicas
    ) -> None:
        serve(office, bank.tool())
        viewer, there, run_id = await killed_at_work(bank, office)
        await viewer.end()
        bank.go_on.clear()
        await decide(there, run_id, "run_again")
        await until(lambda: len(bank.keys) == 2)
        third = await office.open(max_attempts=5)
        await there.crash()
        bank.go_on.set()
        await decide(third, run_id, "happened", result="sent")
        assert last(await Viewer(third.engine, run_id).end(), "tool_end")["output"] == "sent"
        assert len(bank.keys) == 2


class TestARunThatEnds:
    """What it leaves claimed no attempt will find: it is unknown, and a person says what came of it."""

    async def left(self, bank: Bank, office: Replicas) -> tuple[Viewer, Replica, str]:
        """Return a run that may have one attempt only, killed at work."""
        serve(office, bank.tool())
        office.settings = replace(office.settings, max_attempts=1)
        return await killed_at_work(bank, office)

    async def test_since_it_was_lost_too_often_leaves_its_call_unknown(
        self, bank: Bank, office: Replicas
    ) -> None:
        viewer, there, run_id = await self.left(bank, office)
        records = await viewer.end()
        assert types(records)[-3:] == ["unknown", "error", "end"]
        assert there.approvals is not None
        [asked] = await there.approvals.asked_by("acme", run_id)
        assert (asked.kind, asked.tool, asked.args) == ("effect", "transfer", {"amount": 5})
        assert (asked.allowed, asked.status) == (["happened", "give_up"], "pending")

    async def test_since_it_was_cancelled_leaves_its_call_unknown(self, bank: Bank, office: Replicas) -> None:
        serve(office, bank.tool())
        here, there = await office.open(), await office.open()
        run = (await here.start("/agent", ASK)).run
        viewer = Viewer(there.engine, run.id)
        await until(lambda: bank.keys)
        await there.engine.cancel(run.id)
        records = await viewer.end()
        assert last(records, "end")["status"] == "cancelled"
        assert here.approvals is not None
        [asked] = await here.approvals.asked_by("acme", run.id)
        assert (asked.kind, asked.status) == ("effect", "pending")


async def test_an_agent_without_checkpoints_is_asked_anew_and_acts_once_all_the_same(
    bank: Bank, replicas: Replicas
) -> None:
    serve(replicas, bank.tool(), kept=False)
    viewer, *_ = await killed_at_work(bank, replicas)
    assert "unknown" in types(await viewer.end())
    assert len(bank.keys) == 1


class ClaimedInDoubt(EffectStore):
    """A database so slow that the lease of the run has run out when it answers."""

    async def claim(self, call: Call) -> Effect:
        effect = await super().claim(call)
        execution = execution_of_context.get()
        assert execution is not None
        execution.held_until = 0.0
        return effect


async def test_a_call_that_was_claimed_waits_for_the_lease_and_is_not_made_without(
    redis: Redis, database: AsyncEngine, replicas: Replicas
) -> None:
    bank = Bank(redis, Ledger(ClaimedInDoubt(database), serializer(), lambda _tool, _outcome: None))
    serve(replicas, bank.tool())
    here = await replicas.open(lease=30)
    run = (await here.start("/agent", ASK)).run
    execution = here.engine.local[run.id]
    await until(lambda: execution.held_until == 0.0)
    execution.halt("lost")
    await until(lambda: not here.engine.local)
    assert bank.keys == []


async def test_an_idempotent_tool_is_called_again_with_the_same_key(bank: Bank, replicas: Replicas) -> None:
    serve(replicas, bank.tool(idempotent=True))
    viewer, *_ = await killed_at_work(bank, replicas)
    records = await viewer.end()
    assert last(records, "tool_end")["output"] == "sent 5"
    assert bank.keys == [bank.keys[0]] * 2
    assert len(bank.keys[0]) == 64


async def test_what_was_done_and_not_told_is_told_and_not_done_again(bank: Bank, replicas: Replicas) -> None:
    serve(replicas, bank.tool())
    here, there = await replicas.open(), await replicas.open()
    run = (await here.start("/agent", ASK)).run
    viewer = Viewer(there.engine, run.id)
    bank.go_on.set()
    await bank.returned.wait()
    await here.crash()
    bank.leave.set()
    records = await viewer.end()
    assert (last(records, "tool_end")["output"], last(records, "tool_end")["is_error"]) == ("sent 5", False)
    assert len(bank.keys) == 1
    assert "unknown" not in types(records)
