"""Waits for what a test waits for, with a bound."""

import asyncio
import time
from collections.abc import Callable
from typing import Any


async def until(true: Callable[[], Any], seconds: float = 10.0) -> float:
    """Return after how many seconds it was true; fail when it is not within `seconds`.

    May be given a coroutine function. Of those seconds a machine that stands still takes 0.1 at a time.
    """
    began = looked = time.monotonic()
    passed = 0.0
    while True:
        answer = true()
        came_true = await answer if asyncio.iscoroutine(answer) else answer
        now = time.monotonic()
        passed, looked = passed + min(now - looked, 0.1), now
        assert passed < seconds, "this did not come true in time"
        if came_true:
            return now - began
        await asyncio.sleep(0.01)
