"""Approvals of a response: a person's word on what it waits for, and the part of its run that follows."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from gatehouse.approvals.models import Decision
from gatehouse.identity.principal import Principal
from gatehouse.plain_json import from_json
from gatehouse.problems.approvals import ApprovalRequired
from gatehouse.problems.errors import NotFound
from gatehouse.runs.events import BEGINNING, Record
from gatehouse.runs.records import RunRecord
from gatehouse.services import Services
from gatehouse.wires.openai.errors import InvalidValue
from gatehouse.wires.openai.responses.output import APPROVAL
from gatehouse.wires.openai.responses.projection import ResponseEvents
from gatehouse.wires.projection import followed

ANSWER = "mcp_approval_response"


def is_decision(items: Sequence[Any]) -> bool:
    """Tell whether an input is an answer to approvals. Raises InvalidValue where it is that and more."""
    answers = [item.get("type") == ANSWER for item in items]
    if any(answers) and not all(answers):
        raise InvalidValue("input", "Answer what waits, or ask something new: not both at once.")
    return all(answers)


async def decided(services: Services, principal: Principal, run: RunRecord, items: Sequence[Any]) -> int:
    """Decide on what a run waits for, and return which part of it follows.

    Raises InvalidValue, ApprovalRequired where more of it waits, and what `Approvals.decide` raises.
    """
    part = parts_in(await services.runs.so_far(run.id)) + 1
    for number, item in enumerate(items):
        approval_id, word = item.get("approval_request_id"), item.get("approve")
        if not isinstance(approval_id, str) or not isinstance(word, bool):
            raise InvalidValue(f"input[{number}]", "It has an approval_request_id, and approve: a boolean.")
        approval = await services.approvals.get(principal, approval_id.removeprefix(f"{APPROVAL}_"))
        if approval.run_id != run.id:
            raise NotFound("There is no such approval of the previous response.", param=f"input[{number}]")
        reason = item.get("reason")
        said = {"message": reason} if isinstance(reason, str) and not word else {}
        choice: Any = "approve" if word else "reject"
        await services.approvals.decide(
            principal, approval.id, Decision(decision=choice, digest=approval.digest, **said)
        )
    pending, _ = await services.approvals.page(principal, status="pending", run_id=run.id)
    if pending:
        raise ApprovalRequired(run.id, [approval.id for approval in pending])
    return part


def parts_in(records: Sequence[Record]) -> int:
    """Return how often a run has gone on after a wait: in an attempt that begins with a decision."""
    return len({record.cursor.attempt for record in records if record.type == "decided"})


async def of_part(
    services: Services, principal: Principal, run: RunRecord, events: ResponseEvents
) -> AsyncIterator[list[Record]]:
    """Yield a run's records up to the end of the part that is projected, over the waits before it.

    What was decided a moment ago may not have reached the run: whoever comes after its wait is shown what
    follows.
    """
    cursor = BEGINNING
    while True:
        ready: list[Record] = []
        async for ready in followed(services, principal, run, cursor):
            yield ready
            if events.over:
                return
            cursor = ready[-1].cursor
        if not ready or not waits(ready[-1]):
            return


def waits(record: Record) -> bool:
    return record.type == "end" and from_json(record.data)["status"] == "waiting"
