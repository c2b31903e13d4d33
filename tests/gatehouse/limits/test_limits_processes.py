"""Three processes with three clocks over one Redis: the limits are those of one."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from gatehouse_processes import ForkedProcess
from limited_callers import ALICE, plans
from limited_callers import Process as Replica
from limited_process import LEASE, LIMITS, claim
from redis.asyncio import Redis

CLOCKS = (0.0, 7200.0, -86_400.0)  # seconds off: in order, two hours fast, a day slow


@pytest.fixture
async def here(empty_redis: str) -> AsyncIterator[Replica]:
    """A replica in this process, to see what is left."""
    async with Redis.from_url(empty_redis) as redis:
        yield Replica(redis, plans(**LIMITS), LEASE)


class Claiming:
    """A process that claims what it can get, and what it has printed."""

    def __init__(self, url: str, clock: float, what: str, folder: Path) -> None:
        self._output = folder / f"{what} {clock}"
        nowhere = Path(os.devnull)
        self.process = ForkedProcess(
            partial(claim, url, clock, what), os.environ, folder, self._output, nowhere
        )

    async def printed(self) -> str:
        """Return its first line, when it is complete."""
        while not (text := self._text()).endswith("\n"):
            await asyncio.sleep(0.01)
        return text.strip()

    def _text(self) -> str:
        return self._output.read_text() if self._output.exists() else ""


async def granted_to_three(url: str, what: str, folder: Path) -> list[int]:
    """Return what each of three processes got that asked at the same time."""
    processes = [Claiming(url, clock, what, folder) for clock in CLOCKS]
    granted = [int(await claiming.printed()) for claiming in processes]
    assert [claiming.process.wait(10) for claiming in processes] == [0, 0, 0]
    return granted


async def test_requests_are_counted_exactly(empty_redis: str, here: Replica, tmp_path: Path) -> None:
    granted = await granted_to_three(empty_redis, "requests", tmp_path)
    # one a minute comes back: a slow machine may see one
    assert LIMITS["burst"] <= sum(granted) <= LIMITS["burst"] + 1
    assert await here.left("requests") <= 1


async def test_runs_are_counted_exactly(empty_redis: str, here: Replica, tmp_path: Path) -> None:
    granted = await granted_to_three(empty_redis, "runs", tmp_path)
    assert sum(granted) == LIMITS["concurrent_runs"]
    assert await here.left("runs") == 0


async def test_tokens_are_counted_exactly(empty_redis: str, here: Replica, tmp_path: Path) -> None:
    granted = await granted_to_three(empty_redis, "tokens", tmp_path)
    assert sum(granted) == LIMITS["tokens_per_day"] // LIMITS["tokens_reserved"]
    assert await here.left("tokens") == 0
    assert await here.left("runs") == LIMITS["concurrent_runs"]


async def test_killed_process_frees_what_it_held_within_its_lease(
    empty_redis: str, here: Replica, tmp_path: Path
) -> None:
    claiming = Claiming(empty_redis, 7200.0, "reservation", tmp_path)
    assert await claiming.printed() == "holding"
    await asyncio.sleep(1.5 * LEASE)
    assert await here.left("runs") == LIMITS["concurrent_runs"] - 30  # it is alive
    claiming.process.kill()
    claiming.process.wait(10)
    killed = time.monotonic()
    while await here.left("runs") < LIMITS["concurrent_runs"]:
        assert time.monotonic() - killed < LEASE + 5  # and the machine's own slowness
        await asyncio.sleep(0.05)
    assert await here.left("tokens") == LIMITS["tokens_per_day"]
    assert (await here.limiter.admit(ALICE, 0, 50)).refusal is None
