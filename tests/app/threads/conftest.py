"""A migrated database, and callers of two tenants."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine
from thread_callers import principal

from app.auth.principal import Principal
from app.database import open_engine, upgrade
from app.threads.store import ThreadStore

# names a server (and driver) to make databases on; without it these tests have SQLite only
POSTGRES = os.environ.get("GATEHOUSE_TEST_POSTGRES_URL")


def sqlite_url(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


async def migrate(url: str) -> None:
    engine = open_engine(url)
    await upgrade(engine)
    await engine.dispose()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("threads") / "gatehouse.db"
    asyncio.run(migrate(sqlite_url(path)))
    return path


@pytest.fixture(params=["sqlite", "postgresql"] if POSTGRES else ["sqlite"])
async def engine(
    request: pytest.FixtureRequest, migrated_file: Path, tmp_path: Path
) -> AsyncIterator[AsyncEngine]:
    """A migrated database without rows, gone after the test."""
    if request.param == "sqlite":
        engine = open_engine(sqlite_url(Path(shutil.copy(migrated_file, tmp_path))))
        yield engine
        await engine.dispose()
        return
    server = open_engine(POSTGRES or "").execution_options(isolation_level="AUTOCOMMIT")
    name = f"gatehouse_test_{uuid4().hex}"
    async with server.connect() as connection:
        await connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine = open_engine(make_url(POSTGRES or "").set(database=name).render_as_string(hide_password=False))
    await upgrade(engine)
    yield engine
    await engine.dispose()
    async with server.connect() as connection:
        await connection.exec_driver_sql(f"DROP DATABASE {name}")
    await server.dispose()


@pytest.fixture
def store(engine: AsyncEngine) -> ThreadStore:
    return ThreadStore(engine)


@pytest.fixture
def alice() -> Principal:
    return principal("acme", "alice")


@pytest.fixture(params=[("acme", "bob"), ("beta", "alice"), ("beta", "bob")], ids="/".join)
def stranger(request: pytest.FixtureRequest) -> Principal:
    """Somebody who is not alice of acme: another user, the same user id of another tenant, or both."""
    return principal(*request.param)
