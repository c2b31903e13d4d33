"""The measurements: cost, speed and memory of one target."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.processes import Server
from bench.transports.load import Answer, Client, prompt

ANSWER_TOKENS = 300
QUIET = 1.5  # seconds in which a server does what hundreds of answers have left it to do
REST = 0.03


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure in a round: seconds, and numbers of streams and answers."""

    seconds: float = 1.0
    seconds_alone: float = 0.5
    streams: int = 50
    firsts: int = 30
    open_streams: int = 1000
    opened_a_second: int = 25
    settle: float = 4.0


async def busy(client: Client, server: Server, effort: Effort) -> dict[str, list[float]]:
    """Measure a model that yields at once: CPU µs a token, and tokens/s, over 50 streams and over one."""
    found: dict[str, list[float]] = {}
    for streams, seconds in ((effort.streams, effort.seconds), (1, effort.seconds_alone)):
        cpu, began = server.cpu_seconds(), time.perf_counter()
        answers = await client.keep_asking(streams, seconds, ANSWER_TOKENS)
        took, cpu = time.perf_counter() - began, server.cpu_seconds() - cpu
        tokens = ANSWER_TOKENS * len(answers)
        found[f"cpu_us_per_token_{streams}"] = [1e6 * cpu / tokens]
        found[f"tokens_per_second_{streams}"] = [tokens / took]
    return found


async def prompt_start(client: Client, effort: Effort) -> dict[str, list[float]]:
    """Measure times to the first token in ms: alone, right after another stream, and among 50 slow ones.

    Alone is a stream when the server has rested since the last: what the end of an answer leaves it to do,
    such as to store it, delays the one that is asked for at once.
    """
    await asyncio.sleep(QUIET)
    alone = []
    for _ in range(effort.firsts):
        await asyncio.sleep(REST)
        alone.append(await client.ask(10))
    after = [await client.ask(10) for _ in range(effort.firsts)]
    among = await client.keep_asking(effort.streams, effort.seconds, 50, delay=0.02, spread=1.0)
    return {
        "first_ms_alone": milliseconds(alone),
        "first_ms_after": milliseconds(after),
        # a slow model's own delay before its first token is no cost of the transport
        "first_ms_among": milliseconds(among, less=20.0),
    }


async def memory(client: Client, server: Server, effort: Effort) -> dict[str, list[float]]:
    """Measure what an open stream adds to the process, in kB, with 1,000 of them at a token a second."""
    await client.keep_asking(10, 1.0, 50)
    before = server.resident_bytes()
    streams = []
    for _ in range(effort.open_streams):
        streams.append(await client.open(prompt(900, 1.0)))
        await asyncio.sleep(1 / effort.opened_a_second)
    async with asyncio.timeout(60):
        await asyncio.gather(*(stream.started for stream in streams))
    await asyncio.sleep(effort.settle)
    held = server.resident_bytes() - before
    lost = [stream for stream in streams if stream.done.done()]
    for stream in streams:
        stream.leave()
    await asyncio.gather(*(stream.done for stream in streams), return_exceptions=True)
    if lost:
        raise RuntimeError(f"{client.target.name}: {len(lost)} streams ended while they were counted")
    return {"kilobytes_per_stream": [held / 1000 / effort.open_streams]}


def milliseconds(answers: Sequence[Answer], less: float = 0.0) -> list[float]:
    """Return the times to the first tokens of answers."""
    return [round(1000 * answer.first - less, 2) for answer in answers]
