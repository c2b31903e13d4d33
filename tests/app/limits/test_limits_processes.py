"""Three processes with three clocks over one Redis: the limits are those of one."""

import asyncio
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from limited_callers import ALICE, plans
from limited_callers import Process as Replica
from limited_process import LEASE, LIMITS
from redis.asyncio import Redis

PROGRAM = Path(__file__).with_name("limited_process.py")
CLOCKS = (0.0, 7200.0, -86_400.0)  # seconds off: in order, two hours fast, a day slow


@pytest.fixture
async def here(empty_redis: str) -> AsyncIterator[Replica]:
    """A replica in this process, to see what is left."""
    async with Redis.from_url(empty_redis) as redis:
        yield Replica(redis, plans(**LIMITS), LEASE)


async def started(url: str, clock: float, what: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM), url, str(clock), what, cwd=PROGRAM.parent, stdout=PIPE
    )


async def granted_to_three(url: str, what: str) -> list[int]:
    """Return what each of three processes got that asked at the same time."""
    processes = [await started(url, clock, what) for clock in CLOCKS]
    outputs = await asyncio.gather(*(process.communicate() for process in processes))
    return [int(output) for output, _ in outputs]


async def test_requests_are_counted_exactly(empty_redis: str, here: Replica) -> None:
    granted = await granted_to_three(empty_redis, "requests")
    # one a minute comes back: a slow machine may see one
    assert LIMITS["burst"] <= sum(granted) <= LIMITS["burst"] + 1
    assert await here.left("requests") <= 1


async def test_runs_are_counted_exactly(empty_redis: str, here: Replica) -> None:
    granted = await granted_to_three(empty_redis, "runs")
    assert sum(granted) == LIMITS["concurrent_runs"]
    assert await here.left("runs") == 0


async def test_tokens_are_counted_exactly(empty_redis: str, here: Replica) -> None:
    granted = await granted_to_three(empty_redis, "tokens")
    assert sum(granted) == LIMITS["tokens_per_day"] // LIMITS["tokens_reserved"]
    assert await here.left("tokens") == 0
    assert await here.left("runs") == LIMITS["concurrent_runs"]


async def test_killed_process_frees_what_it_held_within_its_lease(empty_redis: str, here: Replica) -> None:
    process = await started(empty_redis, 7200.0, "hold")
    assert process.stdout is not None
    assert await process.stdout.readline() == b"holding\n"
    await asyncio.sleep(1.5 * LEASE)
    assert await here.left("runs") == LIMITS["concurrent_runs"] - 30  # it is alive
    process.kill()
    await process.communicate()
    killed = time.monotonic()
    while await here.left("runs") < LIMITS["concurrent_runs"]:
        assert time.monotonic() - killed < LEASE + 5  # and the machine's own slowness
        await asyncio.sleep(0.05)
    assert await here.left("tokens") == LIMITS["tokens_per_day"]
    assert (await here.limiter.admit(ALICE, 0, 50)).refusal is None
