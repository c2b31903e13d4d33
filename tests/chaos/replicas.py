"""Three Gatehouse processes over one Redis, and what is done to them."""

import asyncio
import random
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bench.processes import Server, gatehouse_server, migrate, redis_ready, redis_server
from tests.chaos.recovery import Life

READY = "/readyz"


@dataclass(frozen=True, slots=True)
class Fault:
    """`wait` seconds after the one before, a random process is killed or paused, for `down` seconds."""

    kind: Literal["kill", "pause"]
    wait: float
    down: float


def faults(rng: random.Random, every: tuple[float, float], lease: float) -> Iterator[Fault]:
    """Yield faults without end: three kills for each pause, and pauses that outlast the lease."""
    while True:
        wait = rng.uniform(*every)
        if rng.random() < 0.75:
            yield Fault("kill", wait, rng.uniform(0.2, 1.5))
        else:
            yield Fault("pause", wait, lease * rng.uniform(1.5, 2.5))


@dataclass(slots=True)
class Replicas:
    """The servers by their index; `lives` are those of their present processes."""

    servers: list[Server]
    redis: Server
    lease: float
    lives: list[Life]
    down: set[int] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=lambda: {"kill": 0, "pause": 0})

    @property
    def urls(self) -> list[str]:
        return [server.url for server in self.servers]

    async def disturb(self, plan: Iterator[Fault], rng: random.Random) -> None:
        """Do what is planned, until it is done or this is cancelled. One replica is always left."""
        async with asyncio.TaskGroup() as repairs:
            for fault in plan:
                await asyncio.sleep(fault.wait)
                up = [index for index in range(len(self.servers)) if index not in self.down]
                if len(up) > 1:
                    repairs.create_task(self._suffer(rng.choice(up), fault))

    async def _suffer(self, index: int, fault: Fault) -> None:
        server, life = self.servers[index], self.lives[index]
        self.down.add(index)
        self.counts[fault.kind] += 1
        life.gone_at = time.monotonic()
        if fault.kind == "pause":
            server.send(signal.SIGSTOP)
            await asyncio.sleep(fault.down)
            server.send(signal.SIGCONT)
            self.down.discard(index)
            await asyncio.sleep(2 * self.lease)  # by then others have its runs
            life.gone_at = None
            return
        server.send(signal.SIGKILL)
        await server.gone(5)
        await asyncio.sleep(fault.down)
        self.lives[index] = Life(server.name)
        server.start()
        await server.ready(READY)
        self.down.discard(index)

    def errors_logged(self) -> list[str]:
        """Return the lines of the servers' logs that tell of an error."""
        lines = [
            line for server in self.servers for line in server.log.read_text(errors="replace").splitlines()
        ]
        return [line for line in lines if '"level": "error"' in line or "[error" in line or "Error:" in line]


@asynccontextmanager
async def running_replicas(
    folder: Path, count: int, lease: float, settings: dict[str, str]
) -> AsyncIterator[Replicas]:
    """Yield replicas that are ready; end them and their Redis afterwards."""
    redis = redis_server(folder)
    shared = {"REDIS_URL": f"redis://127.0.0.1:{redis.port}/0", "RUN_LEASE": str(lease), **settings}
    servers = [gatehouse_server(f"replica-{index}", folder, shared) for index in range(count)]
    replicas = Replicas(servers, redis, lease, [Life(server.name) for server in servers])
    try:
        redis.start()
        await redis_ready(redis)
        await migrate(folder)
        for server in servers:
            server.start()
        await asyncio.gather(*(server.ready(READY) for server in servers))
        yield replicas
    finally:
        await asyncio.gather(*(server.stop() for server in servers))
        await redis.stop()
