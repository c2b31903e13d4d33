"""Measures what a token, a run and an open stream cost a process, its Redis and its PostgreSQL."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bench.processes import Server
from bench.requests.measure import counted
from bench.scale.model import Costs
from bench.transports.load import Client, Stream, prompt
from bench.transports.targets import run
from tests.live_postgres import Postgres

TARGET = run("typed events", "redis")
SETTLE = 3.0  # seconds until what has begun is entered everywhere
ASKERS = 8  # who ask one after the other for what a run costs
OPENED_A_SECOND = 75
SPEAKING = prompt(900, 0.1)
SILENT = "[tokens 1] [delay 250] [tokens 1]"
STATISTICS = text(
    "SELECT xact_commit AS transactions, pg_database_size(datname) AS bytes, "
    "pg_current_wal_lsn() - '0/0'::pg_lsn AS log_bytes "
    "FROM pg_stat_database WHERE datname = current_database()"
)


@dataclass(frozen=True, slots=True)
class Stores:
    """A Redis, a PostgreSQL, and the URL of a database on it with our tables."""

    redis: Server
    postgres: Postgres
    database_url: str

    @property
    def settings(self) -> dict[str, str]:
        return {
            "REDIS_URL": f"redis://127.0.0.1:{self.redis.port}/0",
            "DATABASE_URL": self.database_url,
            "LOG_LEVEL": "warning",
        }


@dataclass(frozen=True, slots=True)
class Deployment:
    """A server over its stores, each a process of its own."""

    server: Server
    stores: Stores


@dataclass(frozen=True, slots=True)
class Used:
    """What was used: CPU in seconds, the rest in bytes and numbers."""

    process: float
    redis: float
    traffic: float
    redis_bytes: float
    database: float
    transactions: float
    log_bytes: float
    database_bytes: float
    resident: float

    def since(self, before: "Used") -> "Used":
        return Used(*(getattr(self, name) - getattr(before, name) for name in Used.__slots__))


class Meter:
    """Reads what a deployment has used so far."""

    def __init__(self, deployment: Deployment) -> None:
        self._server, self._postgres = deployment.server, deployment.stores.postgres
        self.redis = Redis(port=deployment.stores.redis.port)
        self._engine: AsyncEngine = create_async_engine(deployment.stores.database_url)

    async def used(self) -> Used:
        info: Mapping[str, Any] = await self.redis.info("all")
        async with self._engine.connect() as connection:
            counted = (await connection.execute(STATISTICS)).one()
        postgres = self._postgres.process
        return Used(
            process=self._server.cpu_seconds(),
            redis=info["used_cpu_user"] + info["used_cpu_sys"],
            traffic=info["total_net_input_bytes"] + info["total_net_output_bytes"],
            redis_bytes=info["used_memory_dataset"],
            database=family_seconds(postgres.pid) if postgres else 0.0,
            transactions=counted.transactions,
            log_bytes=float(counted.log_bytes),
            database_bytes=counted.bytes,
            resident=self._server.resident_bytes(),
        )

    async def close(self) -> None:
        await self.redis.aclose()
        await self._engine.dispose()


async def costs(deployment: Deployment, headers: Mapping[str, str], *, streams: int, seconds: float) -> Costs:
    """Return what was measured with so many open streams, and with runs of one token one after the other."""
    meter = Meter(deployment)
    client = Client(TARGET, deployment.server.port, headers)
    try:
        await client.keep_asking(ASKERS, 1.0, 1)  # warm
        await asyncio.sleep(SETTLE)
        before = await meter.used()
        answers = len(await client.keep_asking(ASKERS, seconds, 1))
        await asyncio.sleep(SETTLE)
        run = (await meter.used()).since(before)

        alone = await commands_of(meter, client, 0, seconds)
        silent = await commands_of(meter, client, streams, seconds)
        said = await watched(meter, client, SPEAKING, streams, seconds)
    finally:
        await meter.close()
    return Costs(
        process_us_a_token=1e6 * said.used.process / said.tokens,
        process_us_a_run=1e6 * run.process / answers,
        process_bytes_a_stream=said.opening.resident / streams,
        redis_us_a_token=1e6 * said.used.redis / said.tokens,
        redis_us_a_run=1e6 * run.redis / answers,
        redis_bytes_a_token=max(0.0, said.used.redis_bytes) / said.tokens,
        redis_bytes_a_run=run.redis_bytes / answers,
        redis_traffic_a_token=said.used.traffic / said.tokens,
        redis_commands_a_stream_second=(silent - alone) / streams / seconds,
        database_us_a_run=1e6 * run.database / answers,
        database_transactions_a_run=run.transactions / answers,
        database_log_bytes_a_run=run.log_bytes / answers,
        database_bytes_a_run=run.database_bytes / answers,
        client_bytes_a_token=said.received / said.tokens,
    )


@dataclass(frozen=True, slots=True)
class Watched:
    """What was used while streams were opened, and then while all were open and so many tokens came."""

    opening: Used
    used: Used
    tokens: int
    received: int


async def watched(meter: Meter, client: Client, asked: str, number: int, seconds: float) -> Watched:
    """Open so many streams, watch them for some seconds, and leave them."""
    start = await meter.used()
    async with opened(client, asked, number) as streams:
        before, tokens, received = await meter.used(), tokens_of(streams), bytes_of(streams)
        await asyncio.sleep(seconds)
        used = (await meter.used()).since(before)
        return Watched(before.since(start), used, tokens_of(streams) - tokens, bytes_of(streams) - received)


async def commands_of(meter: Meter, client: Client, number: int, seconds: float) -> int:
    """Return how many commands are sent to Redis while so many streams are open in which nothing is said."""
    async with opened(client, SILENT, number), counted(meter.redis) as commands:
        await asyncio.sleep(seconds)
        return len(commands)


@asynccontextmanager
async def opened(client: Client, asked: str, number: int) -> AsyncIterator[list[Stream]]:
    """Yield so many streams that have begun some seconds ago, and leave them in the end."""
    streams = []
    for _ in range(number):
        streams.append(await client.open(asked))
        await asyncio.sleep(1 / OPENED_A_SECOND)
    await asyncio.gather(*(stream.started for stream in streams))
    await asyncio.sleep(SETTLE)
    yield streams
    for stream in streams:
        stream.leave()
    await asyncio.gather(*(stream.done for stream in streams), return_exceptions=True)


def tokens_of(streams: list[Stream]) -> int:
    return sum(stream.tokens for stream in streams)


def bytes_of(streams: list[Stream]) -> int:
    return sum(stream.received for stream in streams)


def family_seconds(pid: int) -> float:
    """Return the CPU time of a process, of its children, and of those that have ended (proc(5))."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sum(times_of(pid)) + sum(sum(times_of(int(child))[:2]) for child in children)


def times_of(pid: int) -> list[float]:
    """Return user and system time of a process, and those of its children that have ended, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return [int(field) / os.sysconf("SC_CLK_TCK") for field in fields[11:15]]
