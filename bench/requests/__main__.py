"""Measures what a request costs beside stock LangServe: `make bench`; see bench/README.md."""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from redis.asyncio import Redis

from bench.machine import machine
from bench.processes import (
    Server,
    bearer,
    environment,
    free_port,
    gatehouse_server,
    migrate,
    redis_ready,
    redis_server,
)
from bench.requests.asker import Asker
from bench.requests.measure import redis_commands, speed
from bench.requests.report import chart, markdown, measures, ratios
from bench.requests.targets import TARGETS, ServerName

RESULTS = Path(__file__).parents[1] / "results"
CLIENTS = (1, 16)
Found = defaultdict[str, list[dict[str, float]]]


def main() -> None:
    arguments = parsed()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("The benchmark needs two cores: one for the server and one for the load.")
    os.sched_setaffinity(0, {cores[-1]})
    rounds, seconds = (1, 0.3) if arguments.quick else (arguments.rounds, arguments.seconds)
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as folder:
        found = asyncio.run(measured(Path(folder), cores, rounds, seconds, arguments.only))
    how = (
        f"Medians of {rounds} interleaved rounds of {seconds} s for each number of clients, whose "
        "connections stay open. Answers of 20 tokens of the same scripted chain, whose model yields at once; "
        "each server on one core, the load and Redis on another. Gatehouse with identity, limits and its run "
        "log in a Redis on TCP; /api/chat begins a thread with each request, in SQLite. CPU is that of the "
        f"server's process, user and system. The load average was {os.getloadavg()[0]:.1f}."
    )
    facts, medians = machine(), measures(found)
    text = markdown(medians, facts, how)
    sys.stdout.write(text)
    if arguments.write:
        (RESULTS / "requests.md").write_text(text)
        (RESULTS / "requests.svg").write_text(chart(ratios(medians)))
        everything = {**facts, "how": how, "measures": medians, "ratios": ratios(medians), "rounds": found}
        (RESULTS / "requests.json").write_text(json.dumps(everything, indent=1) + "\n")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.requests", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round: to see that it works")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--only", default="", help="measure only the targets with this in their name")
    parser.add_argument("--write", action="store_true", help="write bench/results/requests.md and .json")
    return parser.parse_args()


async def measured(folder: Path, cores: Sequence[int], rounds: int, seconds: float, only: str = "") -> Found:
    """Return what every round found for each target. Rounds are interleaved, so that a drift hits all."""
    found: Found = defaultdict(list)
    headers = bearer()
    targets = [target for target in TARGETS if only in target.name]
    await migrate(folder, {})
    async with running(folder, cores) as (servers, redis):
        for _ in range(rounds):
            for target in targets:
                server = servers[target.server]
                asker = Asker(target, server.port, headers)
                row: dict[str, float] = {}
                for clients in CLIENTS:
                    row |= await speed(asker, server, clients, seconds)
                found[target.name].append(row)
        for target in targets:
            if target.server == "gatehouse":
                asker = Asker(target, servers[target.server].port, headers)
                found[target.name][0]["redis_commands"] = await redis_commands(asker, redis, 20)
    return found


@asynccontextmanager
async def running(
    folder: Path, cores: Sequence[int]
) -> AsyncIterator[tuple[dict[ServerName, Server], Redis]]:
    """Yield both servers when they answer, pinned to the first core, and the Redis of ours; then end them."""
    redis = redis_server(folder, cores[-1])
    port = free_port()
    stock = (sys.executable, "-m", "uvicorn", "bench.transports.stock_langserve:app", "--port", str(port))
    ours = {"REGISTRY": "bench.requests.agent:REGISTRY", "REDIS_URL": f"redis://127.0.0.1:{redis.port}/0"}
    servers: dict[ServerName, Server] = {
        "stock": Server("stock", stock, environment(), folder, port, cores[0]),
        "gatehouse": gatehouse_server("gatehouse", folder, ours, cores[0]),
    }
    client = Redis(port=redis.port)
    try:
        redis.start()
        await redis_ready(redis)
        for server in servers.values():
            server.start()
        await servers["stock"].ready("/")
        await servers["gatehouse"].ready("/readyz")
        yield servers, client
    finally:
        await client.aclose()
        for server in (*servers.values(), redis):
            server.kill()


if __name__ == "__main__":
    main()
