"""What is known of a run when its stream has ended."""

from collections.abc import AsyncIterator
from typing import Any

from gatehouse.problems.models import ModelRateLimited, ModelTimeout
from gatehouse.runs.events import ApprovalAsked, Cursor, End, Record, record
from gatehouse.wires.answers import RunFailedBefore, records_of_end


def asked(attempt: int, approval_id: str) -> Record:
    approval: dict[str, Any] = {"id": approval_id}
    return record(Cursor(attempt, 1), ApprovalAsked(content="?", approval=approval))


async def test_it_waits_for_what_its_last_attempt_has_asked() -> None:
    end = record(Cursor(2, 2), End(status="waiting"))

    async def records() -> AsyncIterator[list[Record]]:
        yield [asked(1, "lost")]
        yield [asked(2, "a"), end]

    last, waits = await records_of_end(records())
    assert (last["end"], waits) == (end, [asked(2, "a")])


def test_a_problem_that_a_run_ended_with_is_told_as_it_was() -> None:
    for before in (ModelRateLimited(7), ModelTimeout()):
        told = RunFailedBefore(before.problem("urn:gatehouse:run:1"))
        assert (told.status, told.kind, told.detail) == (before.status, before.kind, before.detail)
        assert (told.headers, told.extra) == (before.headers, before.extra)
