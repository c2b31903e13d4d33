"""A small version of `python -m tests.chaos.cluster`: each fault once, under a few streams."""

from pathlib import Path

import pytest

from tests.chaos.cluster.experiment import ClusterFaults, conduct
from tests.postgres_databases import empty_database

PLAN = ClusterFaults(streams=20, tokens=40, delay=0.1, replicas=2, lease=4, rounds=1, between=1.5)


@pytest.mark.usefixtures("_forked_servers")
async def test_clients_of_a_cluster_whose_servers_change_read_every_token_once(
    tmp_path: Path, postgres_url: str
) -> None:
    async with empty_database(postgres_url) as database_url:
        found = await conduct(PLAN, tmp_path, database_url, print)
    assert found.right, found.as_markdown()
    assert set(found.statuses) <= {"completed", "unknown"}
    assert found.statuses["completed"] > found.forgotten
    assert set(found.disturbances) == {"fail_over", "kill", "reshard"}
