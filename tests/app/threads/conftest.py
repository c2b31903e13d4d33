"""A migrated database, and callers of two tenants."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from postgres_databases import create_database, drop_database
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine
from thread_callers import principal

from app.auth.principal import Principal
from app.database import open_engine, upgrade
from app.threads.store import ThreadStore


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


@pytest.fixture(scope="session")
def migrated_postgres(postgres_url: str) -> Iterator[str]:
    url = asyncio.run(create_database(postgres_url))
    asyncio.run(migrate(url))
    yield url
    asyncio.run(drop_database(postgres_url, url))


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, migrated_file: Path, tmp_path: Path) -> str:
    """The URL of a migrated database."""
    if request.param == "sqlite":
        return sqlite_url(Path(shutil.copy(migrated_file, tmp_path)))
    return str(request.getfixturevalue("migrated_postgres"))


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """A migrated database without rows."""
    engine = open_engine(database_url)
    if engine.dialect.name == "postgresql":  # a new database for each test would take a second
        async with engine.begin() as connection:
            await connection.execute(
                text("TRUNCATE feedback, messages, threads")
            )  # DELETE would see no tenant's rows
    yield engine
    await engine.dispose()


@pytest.fixture
async def unbound(request: pytest.FixtureRequest, engine: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    """The same database for who sees the rows of every tenant: on PostgreSQL, a superuser."""
    if engine.dialect.name != "postgresql":
        yield engine
        return
    server: str = request.getfixturevalue("postgres_url")
    superuser = open_engine(make_url(server).set(database=engine.url.database).render_as_string(False))
    yield superuser
    await superuser.dispose()


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
