"""What every test may use: a running server, a Redis; and the rule that in CI a skip is a failure."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from gatehouse_processes import ServerProcess, end_fork_server, started
from hypothesis import HealthCheck, settings
from live_redis import empty_redis, shared_redis
from live_server import LiveServer, running_server
from migrated_databases import migrate, migrated_copy, url_of
from postgres_databases import create_database, delete_rows, drop_database, running_postgres
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.storage.database import open_engine

pytest_plugins = ["quick_tests", "require_all", "scanned_logs", "spread_tests"]


def pytest_configure() -> None:
    """Let Ctrl-C end what tests start, in a shell's background too, and let no slow machine fail a property."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    settings.register_profile("gatehouse", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("gatehouse")


def pytest_unconfigure() -> None:
    end_fork_server()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One `gatehouse serve` for all tests that change nothing of it but their own runs and threads."""
    with running_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def _forked_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fork the servers of benchmarks and experiments: they import nothing, and who was killed is soon back."""

    def forked(
        command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path
    ) -> ServerProcess:
        return started(command, environment, folder, log, log)

    monkeypatch.setattr("bench.processes.started", forked)


@pytest.fixture(scope="session")
def redis_url() -> str:
    """A real Redis for all tests that use keys of their own."""
    return shared_redis()


@pytest.fixture(name="empty_redis")
def redis_of_its_own() -> str:
    """The URL of a real Redis with nothing in it."""
    return empty_redis()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The SQLAlchemy URL of a PostgreSQL server, for tests that make databases of their own on it."""
    with running_postgres() as url:
        yield url


@pytest.fixture(scope="session")
def migrated_postgres(postgres_url: str) -> Iterator[str]:
    url = asyncio.run(create_database(postgres_url))
    asyncio.run(migrate(url))
    yield url
    asyncio.run(drop_database(postgres_url, url))


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database with the newest schema and no rows."""
    if request.param == "sqlite":
        return url_of(migrated_copy(tmp_path / "gatehouse.db"))
    url: str = request.getfixturevalue("migrated_postgres")
    asyncio.run(delete_rows(request.getfixturevalue("postgres_url"), url))
    return url


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """The connections to such a database; folders with databases of their own have fixtures in its place."""
    engine = open_engine(database_url)
    yield engine
    await engine.dispose()
