"""A small version of the experiment: every point at which a kill or a pause may hit, once."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import gatehouse_processes
import pytest

from tests.chaos.effects.experiment import Experiment, conduct
from tests.postgres_databases import empty_database

PLAN = Experiment(runs=47, at_once=24, pauses=2)


@pytest.mark.timeout(300)  # three servers, of which one is killed, on a machine that others use too
async def test_nothing_is_paid_twice_or_lost_without_a_word(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path) -> object:
        return gatehouse_processes.started(command, environment, folder, log, log)

    monkeypatch.setattr("bench.processes.started", started)  # a replica that was killed is soon back
    async with empty_database(postgres_url) as database_url:
        found = await conduct(PLAN, tmp_path, database_url, print)
    assert found.right, found.as_markdown()
    assert found.unknown > 0
    assert found.restarted > PLAN.runs // 2
