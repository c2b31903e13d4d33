"""A small version of the experiment: every point at which a kill may hit, after everything that people say."""

from pathlib import Path

import pytest

from tests.chaos.effects.experiment import Experiment, conduct
from tests.postgres_databases import empty_database

# each word at each point; nearly each point twice by a kill and by a pause; each word while Redis is lost
PLAN = Experiment(
    runs=110, at_once=35, rounds=(("kill", True), ("kill", False), ("pause", False), ("Redis lost", True))
)


@pytest.mark.usefixtures("_forked_servers")
async def test_nothing_is_paid_twice_or_lost_without_a_word(tmp_path: Path, postgres_url: str) -> None:
    async with empty_database(postgres_url) as database_url:
        found = await conduct(PLAN, tmp_path, database_url, print)
    assert found.right, found.as_markdown()
    assert found.unknown > 0
    assert found.restarted > PLAN.runs // 2
