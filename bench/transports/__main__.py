"""Measures every transport beside stock LangServe and a bare response: `make bench`; see bench/README.md."""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

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
from bench.transports.load import Client
from bench.transports.measure import Effort, busy, memory, prompt_start
from bench.transports.report import chart, markdown, measures
from bench.transports.targets import TARGETS, ServerName, Target

RESULTS = Path(__file__).parents[1] / "results"
QUICK = Effort(seconds=0.5, seconds_alone=0.3, firsts=10, open_streams=0)
Found = defaultdict[str, list[dict[str, list[float]]]]


def main() -> None:
    arguments = parsed()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("The benchmark needs two cores: one for the server and one for the load.")
    os.sched_setaffinity(0, {cores[-1]})
    effort = QUICK if arguments.quick else Effort(open_streams=arguments.open_streams)
    rounds = 1 if arguments.quick else arguments.rounds
    targets = [target for target in TARGETS if arguments.only in target.name]
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as folder:
        found = asyncio.run(measured(targets, effort, rounds, Path(folder), cores))
    report(found, effort, rounds, time.monotonic() - began, write=arguments.write)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures Gatehouse beside stock LangServe.")
    parser.add_argument(
        "--quick", action="store_true", help="one short round, without memory: to see that it works"
    )
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument(
        "--open-streams", type=int, default=1000, help="for the memory of a stream; 0: not measured"
    )
    parser.add_argument("--only", default="", help="measure only the targets with this in their name")
    parser.add_argument("--write", action="store_true", help="write bench/results/transports.md and .json")
    return parser.parse_args()


async def measured(
    targets: list[Target], effort: Effort, rounds: int, folder: Path, cores: list[int]
) -> Found:
    """Return what every round found for each target. Rounds are interleaved, so that a drift hits all."""
    found: Found = defaultdict(list)
    headers = bearer()
    await migrate(folder, {})
    async with running(folder, {target.server for target in targets}, cores) as servers:
        for round_number in range(rounds):
            for target in targets:
                server = servers[target.server]
                client = Client(target, server.port, headers)
                await client.keep_asking(10, 0.3, 50)
                cost = await busy(client, server, effort)
                found[target.name].append({**cost, **await prompt_start(client, effort)})
                say(f"round {round_number + 1}: {target.name}")
    for target in targets if effort.open_streams else ():
        # each with a fresh process: memory that was freed is seldom given back
        async with running(folder, {target.server}, cores) as servers:
            server = servers[target.server]
            found[target.name].append(await memory(Client(target, server.port, headers), server, effort))
            say(f"memory: {target.name}")
    return found


@asynccontextmanager
async def running(
    folder: Path, names: set[ServerName], cores: list[int]
) -> AsyncIterator[Mapping[ServerName, Server]]:
    """Yield these servers when they answer, all pinned to the first core; end them afterwards."""
    redis = redis_server(folder, cores[-1])
    servers = {name: server_of(name, folder, redis.port, cores[0]) for name in names}
    try:
        redis.start()
        await redis_ready(redis)
        for server in servers.values():
            server.start()
        for name, server in servers.items():
            await server.ready("/readyz" if name in ("redis", "embedded") else "/")
        yield servers
    finally:
        for server in (*servers.values(), redis):
            server.kill()


def server_of(name: ServerName, folder: Path, redis_port: int, core: int) -> Server:
    if name == "embedded":
        return gatehouse_server(name, folder, {}, core)
    if name == "redis":
        return gatehouse_server(name, folder, {"REDIS_URL": f"redis://127.0.0.1:{redis_port}/0"}, core)
    module = {"stock": "stock_langserve", "bare": "bare_starlette"}[name]
    port = free_port()
    command = (sys.executable, "-m", "uvicorn", f"bench.transports.{module}:app", "--port", str(port))
    return Server(name, command, environment(), folder, port, core)


def report(found: Found, effort: Effort, rounds: int, seconds: float, *, write: bool) -> None:
    facts = machine()
    how = (
        f"Medians of {rounds} interleaved rounds, and percentiles of all their times to a first token; every "
        "server on one core, the load and Redis on another. "
        "The same scripted chain everywhere but in the floor. Answers of 300 tokens, over "
        f"{effort.streams} streams at once or over one; memory {memory_of(effort)}. "
        f"CPU is that of the server's process, user and system. It took "
        f"{seconds:.0f} s, at a load average of {os.getloadavg()[1]:.1f}."
    )
    text = markdown(measures(found), facts, how)
    say(text)
    if write:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "transports.md").write_text(text)
        (RESULTS / "transports.svg").write_text(chart(measures(found)))
        everything = {**facts, "how": how, "measures": measures(found), "rounds": found}
        (RESULTS / "transports.json").write_text(json.dumps(everything) + "\n")


def memory_of(effort: Effort) -> str:
    if not effort.open_streams:
        return "was not measured"
    return f"with {effort.open_streams} streams of a token a second, in a fresh process"


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
