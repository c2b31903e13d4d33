"""Why a run is ended in place of its next attempt."""

import time
from dataclasses import replace
from typing import Any

import pytest
from run_replicas import ALICE

from gatehouse.problems.approvals import ApprovalExpired
from gatehouse.problems.errors import CredentialExpired, DeadlineExceeded, RunFailed
from gatehouse.runs.lifecycle.execution import Halted
from gatehouse.runs.lifecycle.outcome import why_over
from gatehouse.runs.records import RunRecord

NOW = time.time()
RUN = RunRecord("r", ALICE, "/told", {}, None, NOW, NOW + 60, 30, attempt=3)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, None),
        ({"attempt": 4}, RunFailed),
        ({"attempt": 4, "handovers": 1}, None),
        ({"grace": 0}, RunFailed),
        ({"cancel": "cancelled"}, Halted),
        ({"deadline": NOW}, DeadlineExceeded),
        ({"principal": replace(ALICE, expires_at=NOW)}, CredentialExpired),
        ({"principal": replace(ALICE, expires_at=NOW + 1)}, None),
        ({"over": "expired", "cancel": "cancelled"}, ApprovalExpired),
        ({"over": "revoked"}, CredentialExpired),
        ({"cancel": "cancelled", "grace": 0, "attempt": 9, "deadline": NOW}, Halted),
    ],
)
def test_is_the_first_of_the_reasons(changes: dict[str, Any], why: type[Exception] | None) -> None:
    found = why_over(replace(RUN, **changes), 3, NOW)
    assert (None if found is None else type(found)) is why
