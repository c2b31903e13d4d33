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

import httpx
from redis.asyncio import Redis

from bench.processes import Server, bearer, gatehouse_server, migrate, redis_ready, redis_server
from gatehouse.runs.lifecycle.attempts import lease_key
from gatehouse.runs.replies import text
from tests.chaos.recovery import Life


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
    """The servers by their index, and the lives of their processes: `known` by the owner of their leases."""

    servers: list[Server]
    redis: Redis
    lease: float
    lives: dict[int, Life] = field(default_factory=dict)
    known: dict[str, Life] = field(default_factory=dict)
    down: set[int] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=lambda: {"kill": 0, "pause": 0})

    @property
    def urls(self) -> list[str]:
        return [server.url for server in self.servers]

    async def start(self, index: int) -> None:
        """Return when a new process answers, and it is known under which name it holds leases."""
        server = self.servers[index]
        server.start()
        await server.ready("/readyz")
        body = {"query": "[delay 0.1] [tokens 1000]"}
        async with httpx.AsyncClient(base_url=server.url, headers=bearer(), timeout=30) as http:
            async with http.stream("POST", "/api/chat/stream", json=body) as response:
                run_id = response.raise_for_status().headers["x-run-id"]
                owner = await self.redis.get(lease_key(run_id))
            self.lives[index] = self.known[text(owner)] = Life(server.name)
            (await http.post(f"/api/runs/{run_id}/cancel")).raise_for_status()

    async def disturb(self, plan: Iterator[Fault], rng: random.Random) -> None:
        """Do what is planned, until it is done or this is cancelled. One replica is always left.

        It begins when runs go on: else a slow machine would have no run in what suffers.
        """
        while not await self.redis.keys(lease_key("*")):
            await asyncio.sleep(0.05)
        async with asyncio.TaskGroup() as repairs:
            for fault in plan:
                await asyncio.sleep(fault.wait)
                while len(self.down) >= len(self.servers) - 1:
                    await asyncio.sleep(0.1)
                up = [index for index in range(len(self.servers)) if index not in self.down]
                repairs.create_task(self._suffer(rng.choice(up), fault))

    async def _suffer(self, index: int, fault: Fault) -> None:
        server, life = self.servers[index], self.lives[index]
        self.down.add(index)
        self.counts[fault.kind] += 1
        gone_at = life.gone_at = time.monotonic()
        server.send(signal.SIGKILL if fault.kind == "kill" else signal.SIGSTOP)
        await asyncio.sleep(fault.down)
        if fault.kind == "kill":
            await server.gone(5)
            await self.start(index)
        else:
            server.send(signal.SIGCONT)
        self.down.discard(index)
        await asyncio.sleep(2 * self.lease)  # by then others have the runs of a paused process
        if life.gone_at == gone_at:
            life.gone_at = None

    def errors_logged(self) -> list[str]:
        """Return the lines of the servers' logs that tell of an error."""
        logs = [server.log.read_text(errors="replace") for server in self.servers]
        lines = [line for log in logs for line in log.splitlines()]
        return [line for line in lines if '"level": "error"' in line or "[error" in line or "Error:" in line]


@asynccontextmanager
async def running_replicas(
    folder: Path, count: int, lease: float, settings: dict[str, str]
) -> AsyncIterator[Replicas]:
    """Yield replicas that are ready; end them and their Redis afterwards."""
    store = redis_server(folder)
    shared = {"REDIS_URL": f"redis://127.0.0.1:{store.port}/0", "RUN_LEASE": str(lease), **settings}
    servers = [gatehouse_server(f"replica-{index}", folder, shared) for index in range(count)]
    async with Redis(port=store.port) as redis:
        replicas = Replicas(servers, redis, lease)
        try:
            store.start()
            await redis_ready(store)
            await migrate(folder, shared)
            await asyncio.gather(*map(replicas.start, range(count)))
            yield replicas
        finally:
            for server in servers:
                server.kill()
            await store.stop()
