"""What an attempt came to, and why a run is ended in place of its next one."""

import time
from dataclasses import replace
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from langchain_core.utils.uuid import uuid7
from run_replicas import ALICE

from gatehouse.problems.approvals import ApprovalExpired
from gatehouse.problems.errors import CredentialExpired, DeadlineExceeded, RunFailed
from gatehouse.runs.clock import Clock
from gatehouse.runs.events import Status
from gatehouse.runs.lifecycle.execution import Execution, ExecutionLimits, Halted
from gatehouse.runs.lifecycle.outcome import outcome, why_over
from gatehouse.runs.records import RunRecord
from gatehouse.runs.sources.answers import Answer

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


def attempt_at(run: RunRecord) -> Execution:
    writer: Any = None  # nothing is shown
    echo = RunnableLambda[Any, Any](lambda value: value)
    return Execution(run, echo, writer, ExecutionLimits(10, 10), Clock(), NOW)


class TestOutcome:
    async def test_after_a_wait_adds_to_what_was_before_it_and_pays_that_no_second_time(self) -> None:
        before = replace(RUN, attempt=2, continues=2, text="I transfer.", duration_ms=60_000)
        execution = attempt_at(before)
        await execution.meter.on_chat_model_start({}, [[]], run_id=uuid7())
        execution.text.append("12345678")  # of a model that is cut off: two tokens
        ended = outcome(execution, "cancelled", None)
        assert (ended.text, ended.usage.output_tokens) == ("I transfer.12345678", 2)
        assert ended.duration_ms >= 60_000

    @pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
    def test_has_the_answer_of_a_run_that_is_complete_alone(self, status: Status) -> None:
        execution = attempt_at(RUN)
        execution.answer = Answer(value=7, is_value=True, checkpoint_id="c1")
        ended = outcome(execution, status, None)
        complete = status == "completed"
        assert (ended.answer, ended.checkpoint_id) == (({"value": 7}, "c1") if complete else ({}, ""))
