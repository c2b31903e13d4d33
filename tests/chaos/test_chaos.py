"""A small version of `make chaos`: three processes, two kills and a pause."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import gatehouse_processes
import pytest

from tests.chaos.experiment import Experiment, conduct
from tests.postgres_databases import empty_database

PLAN = Experiment(
    runs=24, tokens=100, concurrency=12, lease=1.5, log_length=50, every=(1.0, 2.0), most_faults=3
)


async def test_clients_of_killed_and_paused_replicas_read_every_token_once(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path) -> object:
        return gatehouse_processes.started(command, environment, folder, log, log)

    monkeypatch.setattr("bench.processes.started", started)  # a replica that was killed is soon back
    async with empty_database(postgres_url) as database_url:
        found = await conduct(PLAN, tmp_path, database_url, print)
    assert found.right, found.as_markdown()
    assert found.statuses == {"completed": PLAN.runs}
    assert found.restarts > 0
