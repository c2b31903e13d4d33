"""Tools over the demo's data, and who asks them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from migrated_databases import migrated_copy, url_of
from sqlalchemy.ext.asyncio import AsyncEngine

from chains.registry import REGISTRY
from gatehouse.identity.caller import caller_of
from gatehouse.ledger.effect import Call
from gatehouse.ledger.ledger import Ledger
from gatehouse.ledger.store import EffectStore
from gatehouse.runs.checkpoints.serializing import serializer
from gatehouse.storage.database import open_engine
from gatehouse.tools.acting import Act
from gatehouse.tools.building import Resources, build_tools
from tools.portfolio.store import PortfolioStore


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """A database with the demo data."""
    engine = open_engine(url_of(migrated_copy(tmp_path / "gatehouse.db", seeded=True)))
    yield engine
    await engine.dispose()


@pytest.fixture
async def empty_engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """A database with tables and no rows."""
    engine = open_engine(url_of(migrated_copy(tmp_path / "empty.db")))
    yield engine
    await engine.dispose()


@pytest.fixture
def store(engine: AsyncEngine) -> PortfolioStore:
    return PortfolioStore(engine)


@pytest.fixture
def tools(engine: AsyncEngine) -> dict[str, BaseTool]:
    """The agent's tools over the demo data, by name."""
    [agent] = [entry for entry in REGISTRY if entry.name == "agent"]
    ledger = Ledger(EffectStore(engine), serializer(), lambda _tool, _outcome: None)

    async def conduct(act: Act) -> Any:
        caller = caller_of(act.config)
        run_id = act.config["configurable"].get("run_id", "run-1")
        call = Call(caller.tenant_id, caller.user_id, run_id, 1, act.tool, act.args, act.call_id, again=True)
        return await ledger.once(act, call, caller, certain)

    return {tool.name: tool for tool in build_tools(agent.tools, Resources(engine), conduct)}


async def certain() -> None:
    """There is one attempt, which nobody takes the run from."""


@pytest.fixture
def alice() -> RunnableConfig:
    return {"configurable": {"tenant_id": "acme", "user_id": "alice"}}


@pytest.fixture
def bob() -> RunnableConfig:
    return {"configurable": {"tenant_id": "beta", "user_id": "bob"}}
