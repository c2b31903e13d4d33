"""The reports of the experiments: what is planned can be written, faults that are functions too."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.outages.experiment import Outages
from tests.chaos.report import report


class Nothing:
    """What was found by an experiment that did not run."""

    right = True

    def as_json(self) -> dict[str, Any]:
        return {"runs": 0}

    def as_markdown(self) -> str:
        return "0 runs\n"


def test_a_plan_whose_faults_are_functions_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.chaos.report.RESULTS", tmp_path)
    report("Outages", "nothing", Outages(), Nothing(), "outages")
    written = json.loads((tmp_path / "outages.json").read_text())
    assert written["plan"]["faults"][0]["act"] == "freeze_at_start"
    assert written["found"] == {"runs": 0}
    assert (tmp_path / "outages.md").read_text().startswith("# Outages")
