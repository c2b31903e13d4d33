"""Engines over a real Redis."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from planted_words import WORDS
from redis.asyncio import Redis
from run_replicas import SETTINGS, Conversations, Replica, Replicas, client_of
from run_runnables import Told, Words
from structlog.testing import capture_logs
from structlog.typing import EventDict

Connect = Callable[[], Redis]


@pytest.fixture
def connect(empty_redis: str) -> Connect:
    """Connects to an empty Redis."""
    return lambda: client_of(empty_redis)


@pytest.fixture
async def redis(connect: Connect) -> AsyncIterator[Redis]:
    async with connect() as client:
        yield client


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    """What is logged: structlog's default would draw each traceback, for a second."""
    with capture_logs() as entries:
        yield entries
    told = [{**entry, "exc_info": None} for entry in entries if entry["log_level"] != "debug"]
    assert not WORDS.search(repr(told)), f"logged of a question or an answer: {told}"


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
