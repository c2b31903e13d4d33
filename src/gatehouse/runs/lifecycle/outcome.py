"""What an attempt came to: the run's record as it ended, its last events, and how long it took."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from gatehouse.problems.approvals import ApprovalExpired
from gatehouse.problems.errors import ApiError, CredentialExpired, DeadlineExceeded, RunFailed
from gatehouse.runs.events import (
    Complete,
    Cursor,
    End,
    Error,
    Event,
    Record,
    Status,
    Usage,
    UsageDetails,
    record,
)
from gatehouse.runs.lifecycle.execution import Execution, Halted
from gatehouse.runs.metering import plus, total
from gatehouse.runs.observing import Timing
from gatehouse.runs.records import RunRecord

Part = TypeVar("Part")


def outcome(execution: Execution, status: Status, failure: ApiError | None) -> RunRecord:
    """Return the run's record as it ended."""
    text, before = "".join(execution.text), execution.run
    told = before.text if before.after_wait and text.startswith(before.text) else ""
    used = execution.meter.settled(text.removeprefix(told))
    models = added(before.models, used, plus_usage)
    details = execution.meter.settled_details(used)
    return replace(
        execution.run,
        state=status,
        text=text,
        text_cursor=execution.top,
        usage=total(models),
        models=models,
        details=added(before.details, details, UsageDetails.__add__),
        finish_reason=execution.meter.finish_reason if status == "completed" else "",
        problem=problem_of(failure, execution.run) if failure else None,
        answer=execution.answer.told() if execution.answer and status == "completed" else {},
        checkpoint_id=execution.answer.checkpoint_id if execution.answer and status == "completed" else "",
        duration_ms=before.duration_ms + round((time.monotonic() - execution.began) * 1000),
    )


def added(
    before: Mapping[str, Part], now: Mapping[str, Part], plus: Callable[[Part, Part], Part]
) -> dict[str, Part]:
    """Return what a run has used by its models' names: `before` it waited, and in this attempt."""
    return {
        **before,
        **{name: plus(before[name], used) if name in before else used for name, used in now.items()},
    }


def plus_usage(one: Usage, other: Usage) -> Usage:
    return plus(one, other.input_tokens, other.output_tokens, other.total_tokens)


def why_over(run: RunRecord, max_attempts: int, now: float) -> Exception | None:
    """Return what a run ends with that its next attempt must not execute again, None for one that goes on.

    `now` is the time in Unix seconds.
    """
    if run.over:
        return ApprovalExpired() if run.over == "expired" else CredentialExpired()
    if run.cancel:
        return Halted()
    if not run.grace:
        return RunFailed("The server that executed this run is gone, and its caller with it.")
    if run.attempt - run.handovers > max_attempts:
        return RunFailed("The run was lost too often. Start it again.")
    if now >= run.deadline:
        return DeadlineExceeded()
    expires_at = run.principal.expires_at
    return CredentialExpired() if expires_at is not None and now >= expires_at else None


def problem_of(failure: ApiError, run: RunRecord) -> dict[str, Any]:
    """Return what the run's viewers and its record are told of a failure."""
    traced = {"trace_id": run.trace_id} if run.trace_id else {}
    return {**failure.problem(f"urn:gatehouse:run:{run.id}"), **traced}


def timing(execution: Execution) -> Timing:
    """Return how long the attempt has taken so far, and until its first token."""
    began, first = execution.began, execution.first_token
    return Timing(time.monotonic() - began, None if first is None else first - began)


def last_records(execution: Execution, ended: RunRecord) -> list[Record]:
    """Return the last records of a run that ended like this."""
    events: list[Event] = []
    if ended.problem is not None:
        events.append(Error(content=ended.problem["detail"], problem=ended.problem))
    elif ended.state == "completed":
        events.append(completion(ended))
    status: Any = ended.state
    events.append(End(status=status))
    return [execution.numbered(event) for event in events]


def records_after(top: Cursor, events: Sequence[Event]) -> list[Record]:
    """Return events as the records that follow, which the execution does not know of yet."""
    return [
        record(Cursor(top.attempt, top.sequence + number), event) for number, event in enumerate(events, 1)
    ]


def completion(ended: RunRecord) -> Complete:
    """Return the event of an answer that came to its end."""
    return Complete(
        content=ended.text,
        message=ended.answer.get("message"),
        value=ended.answer.get("value"),
        finish_reason=ended.finish_reason,
        usage=ended.usage,
        usage_estimated=any(known.estimated for known in ended.details.values()),
        duration_ms=ended.duration_ms,
    )
