"""Opens many slow streams to a server, and sees how late its event loop is and what comes in time."""

import asyncio
import json
import math
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from random import Random

from bench.lateness import percentile
from bench.processes import Server
from bench.transports.load import Client, Stream, prompt
from bench.transports.targets import Target

SETTLE = 3.0  # seconds after the last stream was opened
CATCH_UP = 60.0  # seconds more, at most, in which what was late when they were opened may come
CATCHING_UP = 0.02  # seconds by which streams that do are less behind after each
MOST_TOKENS = 2000  # of an answer, which is longer than what is measured


@dataclass(frozen=True, slots=True)
class Load:
    """So many streams of so many tokens a second, watched for `seconds` when all are open."""

    streams: int
    pace: float = 10.0
    opened_a_second: float = 75.0
    seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Measured:
    """A server, and the file into which it writes how late it is."""

    server: Server
    samples: Path


async def lag(
    targets: Sequence[Target], measured: Measured, headers: Mapping[str, str], load: Load
) -> dict[str, float]:
    """Return the lateness in ms, the share of tokens that came while watched, and the server's cores.

    The streams are spread over the targets. `behind_s` is how far they are behind their models' clock at the
    end, on average. Raises RuntimeError when one ends meanwhile.
    """
    server = measured.server
    streams = await opened(targets, server.port, headers, load)
    await asyncio.sleep(SETTLE)
    await caught_up(streams, load.pace)
    began, cpu, had = time.time(), server.cpu_seconds(), sum(stream.tokens for stream in streams)
    await asyncio.sleep(load.seconds)
    took, cpu = time.time() - began, server.cpu_seconds() - cpu
    came, late_by = sum(stream.tokens for stream in streams) - had, behind(streams, load.pace)
    ended = [stream for stream in streams if stream.done.done()]
    for stream in streams:
        stream.leave()
    await asyncio.gather(*(stream.done for stream in streams), return_exceptions=True)
    if ended:
        raise RuntimeError(f"{server.name}: {len(ended)} streams ended early: {ended[0].done}")
    wall, own = late(measured.samples, began, began + took)
    return {
        "lag_p50_ms": percentile(wall, 0.5),
        "lag_p99_ms": percentile(wall, 0.99),
        "own_p99_ms": percentile(own, 0.99),
        "own_max_ms": max(own),
        "in_time": came / (load.streams * load.pace * took),
        "behind_s": late_by,
        "cpu_us_per_token": 1e6 * cpu / came,
        "cores": cpu / took,
    }


async def opened(
    targets: Sequence[Target], port: int, headers: Mapping[str, str], load: Load
) -> list[Stream]:
    """Return streams that have begun, opened at random moments: else they would step together."""
    random = Random(1)
    streams = []
    for number in range(load.streams):
        client = Client(targets[number % len(targets)], port, headers)
        streams.append(await client.open(prompt(MOST_TOKENS, 1 / load.pace)))
        await asyncio.sleep(random.expovariate(load.opened_a_second))
    async with asyncio.timeout(180):
        await asyncio.gather(*(stream.started for stream in streams))
    return streams


async def caught_up(streams: Sequence[Stream], pace: float) -> None:
    """Return when streams are no less behind than two seconds ago: they have caught up, or cannot."""
    until, before = time.perf_counter() + CATCH_UP, math.inf
    while (now := behind(streams, pace)) < before - 2 * CATCHING_UP and time.perf_counter() < until:
        before = now
        await asyncio.sleep(2)


def behind(streams: Sequence[Stream], pace: float) -> float:
    """Return how many seconds streams are behind the clock of their models, on average.

    A scripted model that was kept from speaking says what is due at once: while many do, a server works on
    what was opened, and not on what is open.
    """
    now = time.perf_counter()
    return statistics.fmean(now - stream.began - stream.tokens / pace for stream in streams)


def late(samples: Path, since: float, until: float) -> tuple[list[float], list[float]]:
    """Return the lateness that was written between these times, in ms: all of it, and the process's own."""
    lines = [json.loads(line) for line in samples.read_text().splitlines()]
    seen = list(chain.from_iterable(line["late"] for line in lines if since + 1 <= line["at"] <= until + 1))
    return [wall for wall, _ in seen], [own for _, own in seen]
