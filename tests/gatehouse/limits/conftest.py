"""The limits over a real Redis."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from limited_callers import Process, plans
from redis.asyncio import Redis
from structlog.testing import capture_logs
from structlog.typing import EventDict


@pytest.fixture
async def redis(empty_redis: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(empty_redis) as client:
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
