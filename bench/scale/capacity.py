"""Finds how many streams are carried: all of their tokens come, and the event loop is not late."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from bench.lag.measure import Load, Measured, lag
from bench.transports.targets import run

TARGET = run("typed events", "redis")
IN_TIME, LATE_MS = 0.99, 50.0  # of the tokens, and of the loop at the 99th percentile: what is carried

Opened = Callable[[], AbstractAsyncContextManager[Sequence[Measured]]]


@dataclass(frozen=True, slots=True)
class Carried:
    """What so many processes carried together; the share of the tokens that came is over all of them."""

    processes: int
    pace: float
    streams: int
    in_time: float
    lag_ms: float
    cores: float

    @property
    def well(self) -> bool:
        return self.in_time >= IN_TIME and self.lag_ms <= LATE_MS


async def most_carried(
    opened: Opened, headers: Mapping[str, str], pace: float, steps: Sequence[int], seconds: float
) -> list[Carried]:
    """Return what was found with each number of streams, up to the first that is not carried well."""
    found: list[Carried] = []
    for streams in steps:
        async with opened() as servers:
            each = Load(streams // len(servers), pace=pace, seconds=seconds)
            results = await asyncio.gather(*(lag([TARGET], one, headers, each) for one in servers))
        found.append(
            Carried(
                len(results), pace, streams,
                sum(one["in_time"] for one in results) / len(results),
                max(one["own_p99_ms"] for one in results),
                sum(one["cores"] for one in results),
            )
        )  # fmt: skip
        if not found[-1].well:
            break
    return found
