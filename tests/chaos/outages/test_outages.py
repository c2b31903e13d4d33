"""A small version of the outages: Redis frozen while runs start, and its primary replaced."""

from pathlib import Path

import pytest

from tests.chaos.outages.executions import Executed, most_at_once
from tests.chaos.outages.experiment import Outages, conduct
from tests.chaos.outages.faults import FAULTS

PLAN = Outages(rounds=1, runs=10, leavers=30, faults=(FAULTS[0], FAULTS[2]))


@pytest.mark.usefixtures("_forked_servers")
async def test_nothing_is_lost_run_twice_or_left_behind(tmp_path: Path) -> None:
    found = await conduct(PLAN, tmp_path, print)
    assert found.right, found.as_markdown()
    assert found.runs == 20
    assert found.payments > 0
    assert found.leavers["executed"] > 0


def test_executions_at_once_are_counted_by_their_time() -> None:
    whats = ["began", "acted", "began", "ended", "began", "ended", "ended"]
    assert most_at_once([Executed(what, "", "", 1, at) for at, what in enumerate(whats)]) == 2  # type: ignore[arg-type]
