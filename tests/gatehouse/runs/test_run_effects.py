"""Tools that act, in runs whose process is killed: what was begun is not begun again without a person's word."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from agent_graphs import agent_graph
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import StructuredTool, tool
from migrated_databases import migrated_copy, url_of
from redis.asyncio import Redis
from run_replicas import LEASE, Replica, Replicas, until
from run_viewers import Viewer, assert_dense, last, types

from gatehouse.identity.caller import caller_of
from gatehouse.identity.principal import Principal
from gatehouse.ledger.ledger import Ledger
from gatehouse.ledger.store import EffectStore
from gatehouse.models.scripted.chat import ScriptedChatModel
from gatehouse.registry.entry import Parts
from gatehouse.runs.acting import ActingOnce, BeforeActing
from gatehouse.runs.checkpoints.serializing import serializer
from gatehouse.runs.records import RunRecord
from gatehouse.runs.sources.streaming_agent import StreamingAgent
from gatehouse.storage.database import open_engine
from gatehouse.tools.acting import Act, acts, guarded

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
        return guarded(acting, self.conduct)


@pytest.fixture
def lease() -> float:
    return LEASE


@pytest.fixture
async def bank(redis: Redis, tmp_path: Path) -> AsyncIterator[Bank]:
    engine = open_engine(url_of(migrated_copy(tmp_path / "gatehouse.db")))
    yield Bank(redis, Ledger(EffectStore(engine), serializer(), lambda _tool, _outcome: None))
    await engine.dispose()


def serve(replicas: Replicas, tool: Any, *, kept: bool = True) -> None:
    """Have the replicas serve an agent with this tool, with or without checkpoints."""
    parts = Parts(ScriptedChatModel(), [tool], replicas.checkpoints if kept else None)
    replicas.runnables = {**replicas.runnables, "/agent": StreamingAgent(agent_graph(parts))}


async def killed_at_work(bank: Bank, replicas: Replicas) -> tuple[Viewer, Replica]:
    """Return the viewer of a run whose process was killed while its tool was at work, and another process."""
    here, there = await replicas.open(), await replicas.open()
    run = (await here.start("/agent", ASK)).run
    viewer = Viewer(there.engine, run.id)
    await until(lambda: bank.keys)
    await here.crash()
    bank.go_on.set()
    bank.leave.set()
    return viewer, there


async def test_what_a_dead_process_had_begun_is_unknown_and_told(bank: Bank, replicas: Replicas) -> None:
    serve(replicas, bank.tool())
    viewer, _ = await killed_at_work(bank, replicas)
    records = await viewer.end()
    assert_dense(records)
    assert len(bank.keys) == 1
    told = last(records, "unknown")
    assert told["tool"] == "transfer"
    assert told["call_id"] == last(records, "tool_end")["call_id"]
    assert last(records, "tool_end")["is_error"]
    assert last(records, "complete")["content"].endswith("Done.")


async def test_an_agent_without_checkpoints_is_asked_anew_and_acts_once_all_the_same(
    bank: Bank, replicas: Replicas
) -> None:
    serve(replicas, bank.tool(), kept=False)
    viewer, _ = await killed_at_work(bank, replicas)
    assert "unknown" in types(await viewer.end())
    assert len(bank.keys) == 1


async def test_an_idempotent_tool_is_called_again_with_the_same_key(bank: Bank, replicas: Replicas) -> None:
    serve(replicas, bank.tool(idempotent=True))
    viewer, _ = await killed_at_work(bank, replicas)
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
