"""The limits on both stores: the embedded one, and a real Redis."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from fakeredis import FakeAsyncRedis, FakeServer
from limited_callers import Process, plans
from live_redis import running_redis
from redis import Redis as BlockingRedis
from redis.asyncio import Redis
from structlog.testing import capture_logs
from structlog.typing import EventDict


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
def empty_redis(redis_url: str) -> str:
    """The URL of a real Redis with nothing in it."""
    with BlockingRedis.from_url(redis_url) as redis:
        redis.flushall()
    return redis_url


@pytest.fixture(params=["embedded", "real"])
async def redis(request: pytest.FixtureRequest) -> AsyncIterator[Redis]:
    if request.param == "embedded":
        client: Redis = FakeAsyncRedis(server=FakeServer())
    else:
        client = Redis.from_url(request.getfixturevalue("empty_redis"))
    async with client:
        yield client


@pytest.fixture
def process(redis: Redis) -> Callable[..., Process]:
    """Make a process with these limits of the default plan; `lease` is in seconds."""

    def made(lease: float = 30, **limits: Any) -> Process:
        return Process(redis, plans(**limits), lease)

    return made


@pytest.fixture
def logs() -> Iterator[list[EventDict]]:
    with capture_logs() as entries:
        yield entries
