"""How late the event loop is with many slow streams open, beside stock LangServe and a bare response."""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bench.lag.measure import Load, Measured, lag
from bench.lag.report import charts, markdown
from bench.machine import machine
from bench.processes import (
    Server,
    bearer,
    environment,
    free_port,
    gatehouse_environment,
    migrate,
    redis_ready,
    redis_server,
)
from bench.transports.targets import BARE, STOCK, Target, langserve, run, websocket
from tests.live_postgres import Postgres
from tests.postgres_databases import create_database

RESULTS = Path(__file__).parents[1] / "results"
TARGETS: Mapping[str, Sequence[Target]] = {
    "stock LangServe": (STOCK,),
    "Gatehouse": (
        run("typed events", "redis"), websocket("WebSocket", "redis"), langserve("LangServe", "redis"),
    ),
    "bare Starlette": (BARE,),
}  # fmt: skip
MODULES = {
    "stock LangServe": ("bench.transports.stock_langserve",),
    "Gatehouse": (),
    "bare Starlette": ("bench.transports.bare_starlette",),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, nargs="+", default=[1000, 3000])
    parser.add_argument("--seconds", type=float, default=10.0, help="for which all are open")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", default="", help="measure only the servers with this in their name")
    parser.add_argument("--write", action="store_true", help="write bench/results/lag.md, .json and .svg")
    arguments = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    with tempfile.TemporaryDirectory(prefix="gatehouse-lag-") as folder:
        found = asyncio.run(measured(arguments, Path(folder), cores))
    how = (
        f"Medians of {arguments.rounds} interleaved rounds, each in a fresh process on a core of its own; "
        f"the load, Redis and PostgreSQL share another. Streams of 10 tokens a second, opened at random "
        f"moments, watched for {arguments.seconds:.0f} s when all are open and no longer catch up with their "
        "models; Gatehouse's are a third each of "
        "typed events, WebSockets and LangServe's /stream. Lag is how late a task on the loop wakes up from "
        "10 ms; "
        "'own' is no more of it than the CPU time that the loop's thread used meanwhile: the rest is of "
        f"whatever else the machine did. The load average was {os.getloadavg()[1]:.1f}."
    )
    text = markdown(found, machine(), how)
    sys.stdout.write(f"{text}\n")
    if arguments.write:
        (RESULTS / "lag.md").write_text(f"{text}\n")
        (RESULTS / "lag.json").write_text(json.dumps({**machine(), "how": how, "rounds": found}) + "\n")
        (RESULTS / "lag.svg").write_text(charts(found))


async def measured(
    asked: argparse.Namespace, folder: Path, cores: Sequence[int]
) -> dict[str, list[dict[str, float]]]:
    """Return what every round found, by the server and the number of streams."""
    found: dict[str, list[dict[str, float]]] = {}
    for _ in range(asked.rounds):
        for streams in asked.streams:
            for name in TARGETS:
                if asked.only in name:
                    async with running(name, folder, cores) as server:
                        load = Load(streams, seconds=asked.seconds)
                        one = await lag(TARGETS[name], server, bearer(), load)
                    found.setdefault(f"{name}, {streams}", []).append(one)
                    sys.stderr.write(f"{name}, {streams}: {one}\n")
    return found


@asynccontextmanager
async def running(name: str, folder: Path, cores: Sequence[int]) -> AsyncIterator[Measured]:
    """Yield a fresh server with its own measure of how late it is, pinned to the first core; end it after."""
    if MODULES[name]:
        async with beside(name, environment(), folder, cores) as measured:
            yield measured
        return
    redis, postgres = redis_server(folder, cores[-1]), Postgres()
    try:
        redis.start()
        await redis_ready(redis)
        await asyncio.to_thread(postgres.start)
        settings = {
            "REDIS_URL": f"redis://127.0.0.1:{redis.port}/0",
            "DATABASE_URL": await create_database(postgres.url),
            "LOG_LEVEL": "warning",
        }
        await migrate(folder, settings)
        async with beside(name, gatehouse_environment(folder, settings), folder, cores) as measured:
            yield measured
    finally:
        redis.kill()
        postgres.remove()


@asynccontextmanager
async def beside(
    name: str, variables: Mapping[str, str], folder: Path, cores: Sequence[int]
) -> AsyncIterator[Measured]:
    """Yield a server beside a task that measures, when it answers."""
    port = free_port()
    samples = folder / f"lag-{port}.jsonl"
    command = (sys.executable, "-m", "bench.lag.served", str(samples), str(port), *MODULES[name])
    server = Server(name, command, variables, folder, port, cores[0])
    try:
        server.start()
        await server.ready("/" if MODULES[name] else "/readyz")
        yield Measured(server, samples)
    finally:
        server.kill()


if __name__ == "__main__":
    main()
