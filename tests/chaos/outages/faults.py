"""What is done to the replicas and their stores, each while runs start or go on."""

import asyncio
import random
import signal
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from tests.chaos.outages.fleet import Fleet

KILLED_INTO_THE_DRAIN = 1.5  # seconds after the SIGTERM


@dataclass(frozen=True, slots=True)
class Fault:
    """Clients start within `spread` seconds, each a run that takes about `lasts`; then this is done.

    `attempts` is how many a run may need at most. `loses` says that Redis loses data, which is told to
    clients as a gap, or as a run that nobody knows. `fails_agents` says that an agent cannot keep a
    checkpoint, and ends as failed.
    """

    name: str
    act: Callable[[Fleet, random.Random], Coroutine[Any, Any, None]]
    spread: float
    lasts: float
    attempts: int = 1
    loses: bool = False
    fails_agents: bool = False


async def freeze_at_start(fleet: Fleet, rng: random.Random) -> None:
    await asyncio.sleep(1)
    await fleet.freeze(fleet.primary, rng.uniform(4.6, 6))


async def freeze_under_viewers(fleet: Fleet, rng: random.Random) -> None:
    await asyncio.sleep(3)
    await fleet.freeze(fleet.primary, rng.uniform(10.5, 11.4))


async def replace_primary(fleet: Fleet, _rng: random.Random) -> None:
    await asyncio.sleep(3)
    await fleet.replace_primary()


async def lose_a_second(fleet: Fleet, _rng: random.Random) -> None:
    await asyncio.sleep(3)
    await fleet.lose_primary(1)


async def fill_redis(fleet: Fleet, _rng: random.Random) -> None:
    await asyncio.sleep(2)
    await fleet.fill(20)


async def stop_postgres(fleet: Fleet, _rng: random.Random) -> None:
    await asyncio.sleep(2)
    await fleet.stop_postgres(30)


async def wake_a_zombie(fleet: Fleet, rng: random.Random) -> None:
    await asyncio.sleep(2)
    await fleet.freeze(rng.choice(fleet.servers), 2.5 * fleet.lease)


async def drain_while_another_dies(fleet: Fleet, rng: random.Random) -> None:
    await asyncio.sleep(2)
    draining, dying = rng.sample(fleet.servers, 2)
    draining.send(signal.SIGTERM)
    await asyncio.sleep(KILLED_INTO_THE_DRAIN)
    dying.kill()
    dying.start()
    await draining.gone(30)
    draining.start()
    for server in (draining, dying):
        await server.ready("/readyz")


FAULTS = (
    Fault("Redis is frozen while runs start", freeze_at_start, spread=6, lasts=3),
    Fault("Redis is frozen under viewers, who join again when it thaws", freeze_under_viewers, 2, 16),
    Fault("Redis' primary is replaced, and stays up read-only", replace_primary, spread=6, lasts=5),
    Fault(
        "Redis fails over without the last second",
        lose_a_second, spread=6, lasts=5, attempts=3, loses=True,
    ),
    Fault("Redis is full for 20 s", fill_redis, spread=6, lasts=10),
    Fault("PostgreSQL is away for 30 s", stop_postgres, 1.5, lasts=8, fails_agents=True),
    Fault("a replica is paused around a tool call, and wakes up", wake_a_zombie, spread=4, lasts=6, attempts=2),
    Fault("a replica dies while another drains", drain_while_another_dies, spread=4, lasts=8, attempts=3),
)  # fmt: skip
