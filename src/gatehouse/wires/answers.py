"""The whole answer of a run, for requests that wait for it instead of following it."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from gatehouse.plain_json import from_json
from gatehouse.problems.approvals import ApprovalRequired
from gatehouse.problems.errors import ApiError, Conflict, Problem
from gatehouse.runs.events import Record
from gatehouse.runs.records import RunRecord


class RunFailedBefore(ApiError):
    """The problem that a run ended with, as the response of the request that waited for it."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        wait = problem.get("retry_after")
        headers = {} if wait is None else {"retry-after": str(wait)}
        extra = {name: value for name, value in problem.items() if name not in Problem.model_fields}
        super().__init__(str(problem["detail"]), headers=headers, **extra)
        self.status = problem["status"]  # type: ignore[misc]  # known only here, not by the class
        self.kind = str(problem["type"]).rpartition(":")[2]  # type: ignore[misc]  # as above


async def completed(run: RunRecord, records: AsyncIterator[list[Record]]) -> dict[str, Any]:
    """Return the `complete` event of a run when it has ended.

    Raises its problem, Conflict if it was stopped, or ApprovalRequired while it waits for people.
    """
    last, asked = await records_of_end(records)
    if "error" in last:
        raise RunFailedBefore(from_json(last["error"].data)["problem"])
    if "end" in last and from_json(last["end"].data)["status"] == "waiting":
        raise ApprovalRequired(run.id, [from_json(item.data)["approval"]["id"] for item in asked])
    if "complete" not in last:
        raise Conflict("The run was stopped before it was complete.", run_id=run.id)
    complete: dict[str, Any] = from_json(last["complete"].data)
    return complete


async def records_of_end(records: AsyncIterator[list[Record]]) -> tuple[dict[str, Record], list[Record]]:
    """Return the last record of each type, and all that its last attempt asks, when the run has ended."""
    last: dict[str, Record] = {}
    asked: list[Record] = []
    async for ready in records:
        last.update((record.type, record) for record in ready)
        asked += [record for record in ready if record.type == "approval"]
    top = max((record.cursor.attempt for record in last.values()), default=0)
    return last, [record for record in asked if record.cursor.attempt == top]
