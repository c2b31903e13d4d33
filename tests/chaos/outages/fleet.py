"""Replicas over a Redis that has a replica of its own behind one address, and a PostgreSQL."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from bench.processes import AMPLE, Server, gatehouse_server, migrate, redis_ready, redis_server
from tests.cutting_proxy import CuttingProxy, cutting_proxy
from tests.live_postgres import Postgres
from tests.postgres_databases import create_database
from tests.waiting import until

SMALL_PLAN, SMALL_RUNS = "small", 16
SMALL = {"requests_per_minute": 100_000, "burst": 100_000, "concurrent_runs": SMALL_RUNS}


@dataclass(slots=True)
class Fleet:
    """`address` is where the replicas find the `primary`; `standby` is a copy of it. Lease in seconds."""

    folder: Path
    lease: float
    servers: list[Server]
    primary: Server
    standby: Server
    address: CuttingProxy
    postgres: Postgres
    database_url: str = ""

    @property
    def urls(self) -> list[str]:
        return [server.url for server in self.servers]

    async def copied(self) -> None:
        """Return when the standby is a copy of the primary."""
        async with Redis(port=self.standby.port) as standby:
            await standby.replicaof("127.0.0.1", str(self.primary.port))
            await until(lambda: is_linked(standby))

    async def replace_primary(self) -> None:
        """Have the standby be the primary, with all that was written; the old one stays up, read-only."""
        async with Redis(port=self.primary.port) as primary, Redis(port=self.standby.port) as standby:
            ask: Any = primary.execute_command  # redis-py has no name for it
            await ask("FAILOVER", "TO", "127.0.0.1", str(self.standby.port))
            await until(lambda: is_primary(standby))
        self.address.target = self.standby.port
        self.primary, self.standby = self.standby, self.primary

    async def lose_primary(self, seconds: float) -> None:
        """Have the standby be the primary, without what was written in the last seconds; the old one dies."""
        async with Redis(port=self.standby.port) as standby:
            await standby.replicaof("NO", "ONE")
        await asyncio.sleep(seconds)
        self.primary.kill()
        self.address.target = self.standby.port
        self.primary, self.standby = self.standby, self.primary
        self.standby.start()
        await redis_ready(self.standby)
        await self.copied()

    async def fill(self, seconds: float) -> None:
        """Have Redis be full for so long."""
        async with Redis(port=self.primary.port) as redis:
            await redis.config_set("maxmemory", 1)
            await asyncio.sleep(seconds)
            await redis.config_set("maxmemory", 0)

    async def freeze(self, process: Server, seconds: float) -> None:
        """Stop a process, and wake it up after so long."""
        process.send(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        process.send(signal.SIGCONT)

    async def stop_postgres(self, seconds: float) -> None:
        """Have the database be away for so long."""
        await asyncio.to_thread(self.postgres.stop)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(self.postgres.start)


async def is_linked(standby: Redis) -> bool:
    return bool((await standby.info("replication")).get("master_link_status") == "up")


async def is_primary(redis: Redis) -> bool:
    return bool((await redis.info("replication"))["role"] == "master")


@asynccontextmanager
async def running_fleet(folder: Path, replicas: int, lease: float) -> AsyncIterator[Fleet]:
    """Yield a fleet that serves; end all of it afterwards. Raises NoPostgres."""
    primary, standby = (replace(redis_server(folder), name=name) for name in ("redis-1", "redis-2"))
    postgres = Postgres()
    servers: list[Server] = []
    try:
        await asyncio.to_thread(postgres.start)
        for redis in (primary, standby):
            redis.start()
            await redis_ready(redis)
        with cutting_proxy(primary.port) as address:
            fleet = Fleet(folder, lease, servers, primary, standby, address, postgres)
            await fleet.copied()
            fleet.database_url = await create_database(postgres.url)
            settings = settings_of(fleet)
            await migrate(folder, settings)
            servers += [gatehouse_server(f"replica-{number}", folder, settings) for number in range(replicas)]
            for server in servers:
                server.start()
            await asyncio.gather(*(server.ready("/readyz") for server in servers))
            yield fleet
            for server in servers:
                server.kill()
    finally:
        for process in (*servers, primary, standby):
            process.kill()
        postgres.remove()


def settings_of(fleet: Fleet) -> dict[str, str]:
    plans = {**json.loads(AMPLE), SMALL_PLAN: json.loads(AMPLE)["default"] | SMALL}
    return {
        "REDIS_URL": f"redis://127.0.0.1:{fleet.address.port}/0", "DATABASE_URL": fleet.database_url,
        "RUN_LEASE": str(fleet.lease), "REGISTRY": "tests.chaos.outages.served:REGISTRY",
        "PLANS": json.dumps(plans), "MAX_ATTEMPTS": "5", "DISCONNECT_GRACE": "300",
        "DRAIN_DELAY": "1", "DRAIN_SECONDS": "3",
    }  # fmt: skip
