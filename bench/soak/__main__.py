"""A thousand slow streams on one replica, for ten minutes: `make soak`; see bench/README.md."""

import argparse
import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from bench.machine import machine
from bench.processes import (
    Server,
    bearer,
    gatehouse_server,
    migrate,
    redis_ready,
    redis_server,
)
from bench.soak.plot import svg
from bench.soak.report import Sample, Soaked
from bench.soak.streams import Streams
from tests.live_postgres import Postgres
from tests.postgres_databases import create_database

RESULTS = Path(__file__).parents[1] / "results"
OPENED_A_SECOND = 50
EVERY = 1.0  # seconds between samples from outside
SETTLE = 12.0  # seconds after the last stream, in which what it held is let go


def main() -> int:
    """Run the soak; return 1 when anything was not as promised."""
    parser = argparse.ArgumentParser(description="Keeps slow streams open and watches what they cost.")
    parser.add_argument("--seconds", type=float, default=600, help="with all streams open")
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--tokens", type=int, default=60, help="of an answer, give or take half")
    parser.add_argument("--pace", type=float, default=1.0, help="tokens a second of each stream")
    parser.add_argument("--write", action="store_true", help="write bench/results/soak.json, .md and .svg")
    arguments = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    with tempfile.TemporaryDirectory(prefix="gatehouse-soak-") as folder:
        soaked = asyncio.run(soak(Path(folder), arguments, cores))
    how = (
        f"One replica on a core of its own, over a real Redis and PostgreSQL, as it runs in production. "
        f"{arguments.streams} streams, a third each of typed events, WebSockets and LangServe's /stream, "
        f"opened at {OPENED_A_SECOND} a second, {arguments.tokens} tokens an answer (half as many to half as "
        f"many again), {arguments.pace:g} a second; each stream "
        f"asks again when its answer is complete, for {arguments.seconds:.0f} s after all were open. The "
        "clients are another process. Lag is measured inside the replica (bench/soak/replica.py)."
    )
    facts = machine()
    report = soaked.markdown(how, facts)
    sys.stdout.write(report)
    if arguments.write:
        write(soaked, report, {**facts, "how": how})
    return 1 if soaked.faults else 0


def write(soaked: Soaked, report: str, facts: dict[str, object]) -> None:
    everything = {
        **facts,
        "before": soaked.before, "left": soaked.left, "answers": soaked.answers,
        "failures": soaked.failures, "outside": soaked.outside,
        "inside": [{**one, "lags_ms": len(one["lags_ms"])} for one in soaked.inside],  # they are too many
    }  # fmt: skip
    (RESULTS / "soak.json").write_text(json.dumps(everything) + "\n")
    (RESULTS / "soak.md").write_text(report)
    (RESULTS / "soak.svg").write_text(svg(soaked.charts()))


async def soak(folder: Path, asked: argparse.Namespace, cores: Sequence[int]) -> Soaked:
    """Return what was seen from outside and inside while the streams were open."""
    samples = folder / "samples.jsonl"
    count, seconds, delay = asked.streams, asked.seconds, 1 / asked.pace
    async with running_replica(folder, samples, cores) as replica:
        began = time.time()
        streams = Streams(replica.port, bearer(), count, asked.tokens, delay, OPENED_A_SECOND)
        await asyncio.sleep(6)  # a first sample of the idle process
        before = seen(replica, streams, began) | {"tasks": inside(samples, began)[-1]["tasks"]}
        outside: list[Sample] = []
        watching = asyncio.create_task(watch(replica, streams, began, outside))
        # all are open some seconds after the last was opened, and warm when each has asked twice
        warm = time.time() - began + count / OPENED_A_SECOND + min(2.2 * asked.tokens * delay, seconds / 3)
        full = time.time() - began + count / OPENED_A_SECOND + seconds
        await streams.keep(count / OPENED_A_SECOND + seconds)
        await asyncio.sleep(SETTLE)
        watching.cancel()
        within = inside(samples, began)
        left = seen(replica, streams, began) | {"tasks": within[-1]["tasks"]}
        return Soaked(outside, within, warm, full, before, left, streams.answers, streams.failures)


@asynccontextmanager
async def running_replica(folder: Path, samples: Path, cores: Sequence[int]) -> AsyncIterator[Server]:
    """Yield the replica that is measured, over stores of its own; end them afterwards."""
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
        served = gatehouse_server("replica", folder, settings, cores[0])
        variables = {
            **served.environment, "PORT": str(served.port), "PYTHONPATH": str(Path(__file__).parents[2]),
        }  # fmt: skip
        command = (sys.executable, "-m", "bench.soak.replica", str(samples))
        replica = replace(served, command=command, environment=variables)
        replica.start()
        try:
            await replica.ready("/readyz")
            yield replica
        finally:
            replica.kill()
    finally:
        redis.kill()
        postgres.remove()


async def watch(replica: Server, streams: Streams, began: float, outside: list[Sample]) -> None:
    """Look at the process every second, until cancelled."""
    with contextlib.suppress(OSError):  # it is gone
        while True:
            outside.append(seen(replica, streams, began))
            await asyncio.sleep(EVERY)


def seen(replica: Server, streams: Streams, began: float) -> dict[str, float]:
    """Return what the kernel says of the process now (proc(5))."""
    descriptors = len(os.listdir(f"/proc/{replica.pid}/fd"))  # noqa: PTH208  # a Path for each is too much
    return {
        "t": time.time() - began,
        "rss": replica.resident_bytes(),
        "fds": descriptors,
        "open": streams.open,
        "cpu": replica.cpu_seconds(),
    }


def inside(samples: Path, began: float) -> list[Sample]:
    """Return the replica's own samples, with their seconds since `began`."""
    lines = [json.loads(line) for line in samples.read_text().splitlines()]
    return [{**line, "t": line["at"] - began} for line in lines]


if __name__ == "__main__":
    sys.exit(main())
