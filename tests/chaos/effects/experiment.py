"""Rounds of runs that share a fault, one after another, at replicas over one Redis and one PostgreSQL."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import cycle, islice
from math import inf
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.processes import Server, gatehouse_server, migrate, redis_ready, redis_server
from gatehouse.storage.database import open_engine
from gatehouse.storage.tenancy import tenant_transaction
from tests.chaos.effects.bank import open_bank
from tests.chaos.effects.cases import Case, Fault, asked, unasked
from tests.chaos.effects.findings import Findings, Outcome
from tests.chaos.effects.people import TENANT
from tests.chaos.effects.trial import Replicas, Trial

# What the rounds are of, in turn: the fault, and whether a person approves the payments
ROUNDS: tuple[tuple[Fault, bool], ...] = (
    ("kill", True), ("kill", False), ("pause", True), ("Redis lost", True), ("kill", True), ("pause", False),
    ("kill", True), ("Redis lost", False),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Experiment:
    """`runs` in `rounds` of so many at once, over again. Lease in seconds.

    The first replica's clock is `ahead` by so many seconds. After so many `minutes` no round begins any more;
    None: all do.
    """

    runs: int = 2100
    at_once: int = 70
    rounds: tuple[tuple[Fault, bool], ...] = ROUNDS
    replicas: int = 3
    lease: float = 3.0
    ahead: float = 600.0
    minutes: float | None = None


async def conduct(plan: Experiment, folder: Path, database_url: str, tell: Callable[[str], None]) -> Findings:
    """Return what was found. Servers keep their logs in `folder`; `tell` is given lines of progress."""
    async with open_bank() as bank, payments_in(database_url) as engine:
        (folder / "bank").write_text(bank.url)
        async with running(plan, folder, database_url) as replicas:
            outcomes: list[Outcome] = []
            until = time.monotonic() + 60 * (plan.minutes or inf)
            for number, some in enumerate(rounds(plan)):
                trial = Trial(replicas, number % plan.replicas, bank, engine, plan.lease)
                outcomes += await trial.of(some)
                tell(f"{len(outcomes)} of {plan.runs} runs: {some[0].entry}, {some[0].fault}")
                if time.monotonic() > until:
                    break
        own, claimed = await own_payments(engine), await still_claimed(engine)
        return Findings.of(outcomes, bank.payments, own, bank.requests, claimed)


def rounds(plan: Experiment) -> Iterator[list[Case]]:
    """Yield the cases of each round."""
    left = {(fault, word): asked(fault) if word else unasked(fault) for fault, word in plan.rounds}
    begun = 0
    for kind in cycle(plan.rounds):
        some = list(islice(left[kind], min(plan.at_once, plan.runs - begun)))
        if not some:
            return
        begun += len(some)
        yield some


@asynccontextmanager
async def running(plan: Experiment, folder: Path, database_url: str) -> AsyncIterator[Replicas]:
    """Yield replicas that are ready; end them and their Redis afterwards."""
    store = redis_server(folder)
    settings = {
        "REDIS_URL": f"redis://127.0.0.1:{store.port}/0", "RUN_LEASE": str(plan.lease),
        "DATABASE_URL": database_url, "REGISTRY": "tests.chaos.effects.served:REGISTRY",
        "DISCONNECT_GRACE": "300", "MAX_ATTEMPTS": "5",
    }  # fmt: skip
    servers = [
        told(gatehouse_server(f"replica-{index}", folder, settings), plan.ahead if index == 0 else 0)
        for index in range(plan.replicas)
    ]
    try:
        store.start()
        await redis_ready(store)
        await migrate(folder, settings)
        for server in servers:
            server.start()
        await asyncio.gather(*(server.ready("/readyz") for server in servers))
        yield Replicas(servers, store)
    finally:
        for server in servers:
            server.kill()
        await store.stop()


def told(server: Server, ahead: float) -> Server:
    """Return a server that knows its name, and has a clock that is so many seconds ahead."""
    ours = {"CHAOS_REPLICA": server.name, "CHAOS_CLOCK_AHEAD": str(ahead)}
    return replace(server, environment={**server.environment, **ours})


@asynccontextmanager
async def payments_in(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Yield the servers' database, with a table of payments of its own."""
    engine = open_engine(database_url)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE chaos_payments (case_id text, effect_key text)"))
    yield engine
    await engine.dispose()


async def own_payments(engine: AsyncEngine) -> dict[str, int]:
    """Return how many payments there are in the servers' own database, by case."""
    async with engine.connect() as connection:
        rows = await connection.execute(
            text("SELECT case_id, count(*) AS made FROM chaos_payments GROUP BY case_id")
        )
        return {row.case_id: row.made for row in rows}


async def still_claimed(engine: AsyncEngine) -> int:
    """Return of how many calls the ledger says that they are under way, which none is any more."""
    async with tenant_transaction(engine, TENANT) as connection:
        found = await connection.scalar(text("SELECT count(*) FROM effects WHERE status = 'claimed'"))
    return int(found or 0)
