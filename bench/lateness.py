"""How late the event loop of this process is, measured by a task on it."""

import asyncio
import time
from collections.abc import Sequence
from typing import NamedTuple

TICK = 0.010  # seconds that the task asks to sleep for


class Late(NamedTuple):
    """What one sleep was late by, and how much of that the process can have caused itself, in ms.

    `own` is no more than the CPU time that the loop's thread used meanwhile: on a machine that others use
    too, the rest is theirs.
    """

    wall: float
    own: float


async def lateness(seconds: float) -> list[Late]:
    """Return the lateness of many short sleeps, in their order."""
    late: list[Late] = []
    until = time.perf_counter() + seconds
    while (asked := time.perf_counter()) < until:
        used = time.thread_time()
        await asyncio.sleep(TICK)
        wall = 1000 * max(0.0, time.perf_counter() - asked - TICK)
        late.append(Late(wall, min(wall, 1000 * (time.thread_time() - used))))
    return late


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that so large a share of the values lies below."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
