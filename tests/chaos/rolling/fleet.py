"""Replicas behind nginx over one Redis and one PostgreSQL: how they are rolled, killed and cut off."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.processes import Server, gatehouse_server, migrate, redis_ready, redis_server, status_of
from tests.chaos.rolling.edge import Edge
from tests.live_postgres import Postgres
from tests.postgres_databases import create_database

READY_POLL = 0.1
EXIT_SECONDS = 60
UNAVAILABLE = 503


@dataclass(slots=True)
class Fleet:
    """`routed` are the replicas that nginx sends new requests to; `exits` the codes of those that ended."""

    folder: Path
    settings: dict[str, str]
    edge: Edge
    redis: Server
    postgres: Postgres
    tell: Callable[[str], None]
    routed: list[Server] = field(default_factory=list)
    all: list[Server] = field(default_factory=list)
    exits: list[int] = field(default_factory=list)
    drains: list[float] = field(default_factory=list)

    async def started(self) -> Server:
        """Return a new replica that is ready."""
        server = gatehouse_server(f"replica-{len(self.all)}", self.folder, self.settings)
        self.all.append(server)
        server.start()
        await server.ready("/readyz")
        return server

    async def add(self) -> None:
        """Put a new replica behind nginx."""
        self.routed.append(await self.started())
        await self.edge.reroute(self.routed)

    async def roll(self, old: Server) -> None:
        """Replace a replica as Kubernetes does it: the new one first, then SIGTERM for the old one."""
        await self.add()
        began = time.monotonic()
        old.send(signal.SIGTERM)
        while await status_of(old.port, "/readyz") != UNAVAILABLE:
            await asyncio.sleep(READY_POLL)
        self.routed.remove(old)
        await self.edge.reroute(self.routed)
        await old.gone(EXIT_SECONDS)
        self.drains.append(round(time.monotonic() - began, 1))
        code = old.process.returncode if old.process else None
        self.exits.append(-1 if code is None else code)

    async def kill(self) -> None:
        """Kill a replica without a word; nginx finds out by itself, and a new one comes."""
        victim = self.routed[0]
        victim.kill()
        await asyncio.sleep(3)
        self.routed.remove(victim)
        await self.add()

    async def restart_redis(self) -> None:
        self.redis.send(signal.SIGTERM)
        await self.redis.gone(10)
        await asyncio.sleep(1)
        self.redis.start()
        await redis_ready(self.redis)

    async def restart_postgres(self) -> None:
        await asyncio.to_thread(self.postgres.stop)
        await asyncio.sleep(1)
        await asyncio.to_thread(self.postgres.start)

    async def freeze_redis(self, seconds: float) -> None:
        self.redis.send(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self.redis.send(signal.SIGCONT)

    def tracebacks(self) -> int:
        """Return how many tracebacks the replicas have logged."""
        logs = (server.log.read_text(errors="replace") for server in self.all)
        return sum(log.count("Traceback (most recent call last)") for log in logs)


@asynccontextmanager
async def running_fleet(
    folder: Path, replicas: int, settings: dict[str, str], tell: Callable[[str], None]
) -> AsyncIterator[Fleet]:
    """Yield a fleet that serves; end all of it afterwards. Raises NoPostgres."""
    redis = with_append_only_file(redis_server(folder))
    postgres = Postgres()
    edge = Edge(folder)
    shared = {"REDIS_URL": f"redis://127.0.0.1:{redis.port}/0", **settings}
    fleet = Fleet(folder, shared, edge, redis, postgres, tell)
    try:
        redis.start()
        await asyncio.to_thread(postgres.start)
        await redis_ready(redis)
        shared["DATABASE_URL"] = await create_database(postgres.url)
        await migrate(folder, shared)
        fleet.routed = list(await asyncio.gather(*(fleet.started() for _ in range(replicas))))
        edge.route(fleet.routed)
        await edge.start()
        yield fleet
    finally:
        edge.end()
        for server in (*fleet.all, redis):
            server.kill()
        postgres.remove()


def with_append_only_file(redis: Server) -> Server:
    """Return a Redis that keeps its data, as one in production has to."""
    command = tuple(redis.command)
    kept = (*command[: command.index("--save")], "--save", "", "--appendonly", "yes")
    return replace(redis, command=kept)
