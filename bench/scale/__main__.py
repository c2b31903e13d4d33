"""What two cores carry, what a token, a run and a stream cost there, and what more of them need."""

import argparse
import asyncio
import dataclasses
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from bench.lag.__main__ import beside
from bench.lag.measure import Measured
from bench.machine import machine
from bench.processes import bearer, gatehouse_environment, migrate, redis_ready, redis_server
from bench.scale.capacity import Carried, most_carried
from bench.scale.measure import Deployment, Stores, costs
from bench.scale.model import Costs, Load
from bench.scale.report import markdown
from tests.live_postgres import Postgres
from tests.postgres_databases import create_database

RESULTS = Path(__file__).parents[1] / "results"
# processes, tokens a second of a stream, and how many streams are tried
STEPS = (
    (1, 10.0, (100, 200, 300, 400, 600, 800)),
    (1, 30.0, (40, 80, 120, 160, 240)),
    (2, 10.0, (200, 400, 600)),
)
QUICK = ((1, 10.0, (20,)),)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="for which each load is watched")
    parser.add_argument("--streams", type=int, default=150, help="open while costs are measured")
    parser.add_argument("--quick", action="store_true", help="show that it works; the numbers mean little")
    parser.add_argument("--write", action="store_true", help="write bench/results/scale.md and .json")
    asked = parser.parse_args()
    if asked.quick:
        asked.seconds, asked.streams = 2.0, 20
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    with tempfile.TemporaryDirectory(prefix="gatehouse-scale-") as folder:
        measured, carried = asyncio.run(found(Path(folder), cores, asked))
    how = (
        f"Costs with {asked.streams} open streams of typed events, and with eight askers of one token, for "
        f"{asked.seconds:g} s each. Gatehouse on a core of its own; the load, a Redis and a PostgreSQL on "
        "another. What is carried: more streams, each time on fresh processes, until less than 99 % of the "
        "tokens come or the event loop's own lag is over 50 ms at the 99th percentile; the last row of each "
        "is the first that was too much, if any was. Two processes have both cores, which the load and the "
        f"stores then share with them. The load average was {os.getloadavg()[1]:.1f}."
    )
    facts = machine()
    text = markdown(measured, carried, facts, how, Load(0))
    sys.stdout.write(f"{text}\n")
    if asked.write:
        (RESULTS / "scale.md").write_text(f"{text}\n")
        both = {
            "costs": dataclasses.asdict(measured),
            "carried": [dataclasses.asdict(one) for one in carried],
        }
        (RESULTS / "scale.json").write_text(json.dumps({**facts, "how": how, **both}) + "\n")


async def found(folder: Path, cores: list[int], asked: argparse.Namespace) -> tuple[Costs, list[Carried]]:
    """Return what was measured."""
    async with stores(folder, cores[-1]) as store:
        async with servers(folder, cores[:1], store) as [one]:
            deployment = Deployment(one.server, store)
            measured = await costs(deployment, bearer(), streams=asked.streams, seconds=asked.seconds)
        carried: list[Carried] = []
        for processes, pace, steps in QUICK if asked.quick else STEPS:
            opened = partial(servers, folder, cores[:processes], store)
            carried += await most_carried(opened, bearer(), pace, steps, asked.seconds)
    return measured, carried


@asynccontextmanager
async def stores(folder: Path, core: int) -> AsyncIterator[Stores]:
    """Yield a Redis and a PostgreSQL with our tables, the former on one core."""
    redis, postgres = redis_server(folder, core), Postgres()
    try:
        redis.start()
        await redis_ready(redis)
        await asyncio.to_thread(postgres.start)
        store = Stores(redis, postgres, await create_database(postgres.url))
        await migrate(folder, store.settings)
        yield store
    finally:
        redis.kill()
        postgres.remove()


@asynccontextmanager
async def servers(folder: Path, cores: Sequence[int], store: Stores) -> AsyncIterator[list[Measured]]:
    """Yield a fresh server on each of the cores, with the measure of how late it is."""
    async with AsyncExitStack() as stack:
        variables = gatehouse_environment(folder, store.settings)
        yield [
            await stack.enter_async_context(beside("Gatehouse", variables, folder, [core])) for core in cores
        ]


if __name__ == "__main__":
    main()
