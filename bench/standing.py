"""What a server takes while nothing is said: `python -m bench.standing --write`; see bench/README.md.

The commands that Redis is sent a second for each open stream whose model is silent, and how long a second
start takes until the server is ready.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from textwrap import fill

from redis.asyncio import Redis

from bench.machine import machine
from bench.processes import Server, bearer, gatehouse_server, migrate, redis_ready, redis_server
from bench.requests.measure import counted
from bench.transports.load import Client, prompt
from bench.transports.targets import run

RESULTS = Path(__file__).parent / "results"
SILENCE = 600.0  # seconds before the first token
OPENED_A_SECOND = 25.0
SETTLE = 5.0  # seconds after the last stream was opened
WIDTH = 110


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="write bench/results/standing.md")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gatehouse-standing-") as folder:
        commands = asyncio.run(idle_commands(Path(folder), arguments.streams, arguments.seconds))
    with tempfile.TemporaryDirectory(prefix="gatehouse-standing-") as folder:
        first, *later = asyncio.run(starts(Path(folder), 1 + arguments.starts))
    how = (
        f"{arguments.streams} streams of typed events over one replica, whose models say nothing, watched "
        f"for {arguments.seconds:.0f} s with MONITOR; a script is one command, and those of the process "
        "itself are counted. Starts are of `gatehouse serve` with its own Valkey and SQLite, until /readyz "
        f"answers: the median of {arguments.starts} after the first. "
        f"The load average was {os.getloadavg()[0]:.1f}."
    )
    rows = (
        f"| Redis commands a second, an idle stream | {commands:.3f} |\n"
        f"| first start to ready, s | {first[0]:.1f} |\n"
        f"| later start to ready, s | {statistics.median(took for took, _ in later):.1f} |\n"
        f"| of it CPU of the process, s | {statistics.median(cpu for _, cpu in later):.1f} |\n"
    )
    facts = machine()
    where = f"{facts['date']}, {facts['machine']}, Python {facts['versions']['python']}."
    text = f"# What stands still\n\n{fill(how, WIDTH)}\n\n| | |\n|---|---:|\n{rows}\n{fill(where, WIDTH)}\n"
    sys.stdout.write(text)
    if arguments.write:
        (RESULTS / "standing.md").write_text(text)


async def idle_commands(folder: Path, count: int, seconds: float) -> float:
    """Return the commands a second that Redis is sent for each of so many silent streams."""
    redis = redis_server(folder)
    client = Redis(port=redis.port)
    settings = {"REDIS_URL": f"redis://127.0.0.1:{redis.port}/0", "LOG_LEVEL": "warning"}
    server = gatehouse_server("gatehouse", folder, settings)
    try:
        redis.start()
        await redis_ready(redis)
        await migrate(folder, settings)
        server.start()
        await server.ready("/readyz")
        asker = Client(run("typed events", "redis"), server.port, bearer())
        streams = []
        for _ in range(count):
            streams.append(await asker.open(prompt(1, SILENCE)))
            await asyncio.sleep(1 / OPENED_A_SECOND)
        await asyncio.sleep(SETTLE)
        async with counted(client) as commands:
            await asyncio.sleep(seconds)
        if ended := [stream for stream in streams if stream.done.done()]:
            raise RuntimeError(f"{len(ended)} streams ended early: {ended[0].done}")
        return len(commands) / seconds / count
    finally:
        await client.aclose()
        server.kill()
        redis.kill()


async def starts(folder: Path, count: int) -> list[tuple[float, float]]:
    """Return how many seconds each start over the same data took, and of the process's CPU."""
    await migrate(folder, {})
    server: Server = gatehouse_server("gatehouse", folder, {"LOG_LEVEL": "warning"})
    took = []
    for _ in range(count):
        began = time.perf_counter()
        server.start()
        try:
            await server.ready("/readyz")
            took.append((time.perf_counter() - began, server.cpu_seconds()))
        finally:
            await server.stop(10)
    return took


if __name__ == "__main__":
    main()
