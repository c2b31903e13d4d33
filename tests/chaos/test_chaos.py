"""A small version of `make chaos`: three processes, two kills and a pause."""

from pathlib import Path

import pytest

from tests.chaos.experiment import Experiment, conduct
from tests.postgres_databases import empty_database

PLAN = Experiment(
    runs=24, tokens=100, concurrency=12, lease=1.5, log_length=50, every=(1.0, 2.0), most_faults=3
)


@pytest.mark.usefixtures("_forked_servers")
async def test_clients_of_killed_and_paused_replicas_read_every_token_once(
    tmp_path: Path, postgres_url: str
) -> None:
    async with empty_database(postgres_url) as database_url:
        found = await conduct(PLAN, tmp_path, database_url, print)
    assert found.right, found.as_markdown()
    assert found.statuses == {"completed": PLAN.runs}
    assert found.restarts > 0
