"""A migrated and seeded SQLite database, made once and copied for every test."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from sqlalchemy.ext.asyncio import AsyncEngine

from app.database import open_engine, upgrade
from tools.portfolio.seed import seed
from tools.portfolio.store import PortfolioStore
from tools.registry import Stores, build_tools


def url_of(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


async def make_database(path: Path, *, seeded: bool) -> None:
    engine = open_engine(url_of(path))
    await upgrade(engine)
    if seeded:
        await seed(engine)
    await engine.dispose()


@pytest.fixture(scope="session")
def seeded_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("seeded") / "gatehouse.db"
    asyncio.run(make_database(path, seeded=True))
    return path


@pytest.fixture
async def engine(seeded_file: Path, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """A database with the demo data."""
    engine = open_engine(url_of(Path(shutil.copy(seeded_file, tmp_path))))
    yield engine
    await engine.dispose()


@pytest.fixture
async def empty_engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """A database with tables and no rows."""
    path = tmp_path / "empty.db"
    await make_database(path, seeded=False)
    engine = open_engine(url_of(path))
    yield engine
    await engine.dispose()


@pytest.fixture
def store(engine: AsyncEngine) -> PortfolioStore:
    return PortfolioStore(engine)


@pytest.fixture
def tools(store: PortfolioStore) -> dict[str, BaseTool]:
    """The registry's tools over the demo data, by name."""
    return {tool.name: tool for tool in build_tools(Stores(store))}


@pytest.fixture
def alice() -> RunnableConfig:
    return {"configurable": {"tenant_id": "acme", "user_id": "alice"}}


@pytest.fixture
def bob() -> RunnableConfig:
    return {"configurable": {"tenant_id": "beta", "user_id": "bob"}}
