"""The routes of approvals: what waits for people, and their decisions."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field

from gatehouse.approvals.deciders import DECIDE
from gatehouse.approvals.models import Approval, Decision, Status
from gatehouse.identity.principal import READ_RUNS, Principal
from gatehouse.problems.approvals import (
    ApprovalChanged,
    ApprovalDecided,
    ApprovalExpired,
    NotAllowedToDecide,
)
from gatehouse.problems.errors import BadRequest, InsufficientScope, InvalidInput, NotFound, Unauthenticated
from gatehouse.services import services_of
from gatehouse.threads.cursors import approval_cursor, read_approval_cursor
from gatehouse.web.dependencies import CurrentPrincipal

router = APIRouter(
    prefix="/api/approvals",
    tags=["approvals"],
    responses={**Unauthenticated.schema(), **InsufficientScope.schema()},
)

# in one spelling only, as everywhere; a longer or stranger text never reaches the database
Id = Annotated[str, Path(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Of = Annotated[str | None, Query(max_length=64)]


class ApprovalPage(BaseModel):
    """Approvals, the newest first."""

    approvals: list[Approval]
    next: str | None = Field(description="`cursor` of the next page; null on the last one")


class Pending(BaseModel):
    """How many approvals wait for the caller; no more than a thousand are counted."""

    pending: int = Field(examples=[2])


def may_read(principal: Principal) -> None:
    """Raise InsufficientScope for whoever may neither read runs nor decide."""
    if not (principal.may(READ_RUNS) or principal.may(DECIDE)):
        raise InsufficientScope(READ_RUNS)


@router.get("", responses={**BadRequest.schema(), **InvalidInput.schema()})
async def list_approvals(
    request: Request,
    principal: CurrentPrincipal,
    status: Status | None = None,
    thread_id: Of = None,
    run_id: Of = None,
    limit: Annotated[int, Query(ge=1, le=100, description="most items of the page")] = 50,
    cursor: Annotated[str | None, Query(max_length=100, description="`next` of the page before")] = None,
) -> ApprovalPage:
    """What the caller's runs ask, and with the scope `approvals:decide` those of the whole tenant."""
    may_read(principal)
    before = None if cursor is None else read_approval_cursor(cursor)
    items, more = await services_of(request).approvals.page(
        principal, status=status, thread_id=thread_id, run_id=run_id, limit=limit, before=before
    )
    return ApprovalPage(approvals=list(items), next=approval_cursor(more) if more else None)


@router.get("/count")
async def count_approvals(request: Request, principal: CurrentPrincipal) -> Pending:
    """How many wait for the caller's own decision."""
    may_read(principal)
    return Pending(pending=await services_of(request).approvals.count(principal))


@router.get("/{approval_id}", responses={**NotFound.schema(), **InvalidInput.schema()})
async def read_approval(request: Request, principal: CurrentPrincipal, approval_id: Id) -> Approval:
    """One approval, whatever became of it."""
    may_read(principal)
    return await services_of(request).approvals.get(principal, approval_id)


@router.post(
    "/{approval_id}/decision",
    responses={
        **NotFound.schema(), **NotAllowedToDecide.schema(), **ApprovalExpired.schema(),
        **ApprovalChanged.schema(), **ApprovalDecided.schema(), **InvalidInput.schema(),
    },
)  # fmt: skip
async def decide(
    request: Request, principal: CurrentPrincipal, approval_id: Id, decision: Decision
) -> Approval:
    """Decide. With the last decision that a run waits for it goes on; the same one again is answered alike.

    A decision that is refused changes nothing.
    """
    may_read(principal)
    return await services_of(request).approvals.decide(principal, approval_id, decision)
