"""How long whoever looks now and then waits, in a process that is told to end."""

import asyncio

import pytest

from gatehouse.problems import draining
from gatehouse.problems.draining import Drain

LONG = 60.0  # seconds, of which no test waits for one
SOON = 5.0


async def test_a_pause_is_as_long_as_it_is_meant_to_be() -> None:
    async with asyncio.timeout(SOON):
        await Drain().pause(0.01)


async def test_a_pause_ends_when_no_run_is_started_any_more() -> None:
    drain = Drain()
    pausing = asyncio.create_task(drain.pause(LONG))
    await asyncio.sleep(0)
    drain.leave()
    await asyncio.sleep(0)
    assert not pausing.done()
    drain.refuse()
    async with asyncio.timeout(SOON):
        await pausing


async def test_from_then_on_pauses_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draining, "CLOSING_POLL", 0.01)
    drain = Drain()
    drain.refuse()
    assert drain.leaving
    async with asyncio.timeout(SOON):
        await drain.pause(LONG)
