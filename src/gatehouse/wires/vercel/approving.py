"""A person's answers to the calls that a chat waits for, as decisions on our own rows."""

import re

from gatehouse.approvals.models import Decision
from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import InvalidInput, NotFound
from gatehouse.runs.records import RunRecord
from gatehouse.services import Services
from gatehouse.wires.vercel.parsing import Answered

APPROVAL_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NO_SUCH_APPROVAL = "There is no such approval."


async def decided(services: Services, principal: Principal, answers: list[Answered]) -> RunRecord:
    """Decide what was answered, and return the run that goes on with it.

    A part of the message that was answered before is answered again when the message is sent again; the first
    decision stands. Raises NotFound, InvalidInput for approvals of several runs, and what deciding raises.
    """
    if not all(APPROVAL_ID.fullmatch(answer.id) for answer in answers):
        raise NotFound(NO_SUCH_APPROVAL)
    approvals = [await services.approvals.get(principal, answer.id) for answer in answers]
    runs = {approval.run_id for approval in approvals}
    if len(runs) > 1:
        raise InvalidInput("One message answers for one run.")
    run = await services.runs.get(principal, runs.pop())
    for approval, answer in zip(approvals, answers, strict=True):
        if approval.status == "pending":
            await services.approvals.decide(principal, approval.id, decision_of(answer, approval.digest))
    return run


def decision_of(answer: Answered, digest: str) -> Decision:
    """Return the decision that an answer is, on the row as it is: the client's own copy is not looked at."""
    if answer.approved:
        return Decision(decision="approve", digest=digest)
    return Decision(decision="reject", digest=digest, message=answer.reason)
