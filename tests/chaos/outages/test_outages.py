"""A small version of the outages: Redis frozen while runs start, and its primary replaced."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import gatehouse_processes
import pytest

from tests.chaos.outages.executions import Executed, most_at_once
from tests.chaos.outages.experiment import Outages, conduct
from tests.chaos.outages.faults import FAULTS

PLAN = Outages(rounds=1, runs=10, leavers=30, faults=(FAULTS[0], FAULTS[2]))


@pytest.mark.timeout(300)  # three servers and the stores that they wait for
async def test_nothing_is_lost_run_twice_or_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path) -> object:
        return gatehouse_processes.started(command, environment, folder, log, log)

    monkeypatch.setattr("bench.processes.started", started)
    found = await conduct(PLAN, tmp_path, print)
    assert found.right, found.as_markdown()
    assert found.runs == 20
    assert found.payments > 0
    assert found.leavers["executed"] > 0


def test_executions_at_once_are_counted_by_their_time() -> None:
    whats = ["began", "acted", "began", "ended", "began", "ended", "ended"]
    assert most_at_once([Executed(what, "", "", 1, at) for at, what in enumerate(whats)]) == 2  # type: ignore[arg-type]
