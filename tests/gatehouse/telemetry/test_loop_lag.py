"""How late the event loop is."""

import asyncio
import time

import pytest

from gatehouse.telemetry import loop_lag
from gatehouse.telemetry.loop_lag import LoopWatch
from gatehouse.telemetry.metrics import Metrics


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_lag, "EVERY", 0.01)


async def test_a_loop_that_is_held_up_is_seen() -> None:
    metrics = Metrics()
    async with LoopWatch(metrics).going_on(lambda: 7, lambda: 3):
        await asyncio.sleep(0.05)
        time.sleep(0.3)  # noqa: ASYNC251  # what must not happen
        await asyncio.sleep(0.05)
    read = metrics.registry.get_sample_value
    assert (read("gatehouse_event_loop_lag_seconds_sum") or 0) > 0.2
    assert (read("gatehouse_run_log_pending_events"), read("gatehouse_viewers")) == (7, 3)


async def test_a_loop_that_does_not_go_on_is_not_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = LoopWatch(Metrics())
    assert watch.alive()
    monkeypatch.setattr(loop_lag, "STUCK_AFTER", 0.0)
    assert not watch.alive()
