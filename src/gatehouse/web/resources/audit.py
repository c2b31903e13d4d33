"""The route of the audit log."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AfterValidator, AwareDatetime

from gatehouse.audit.entry import Action
from gatehouse.audit.reading import AuditPage, Wanted, audit_page
from gatehouse.identity.identifiers import identifier
from gatehouse.problems.errors import BadRequest, InsufficientScope, InvalidInput, Unauthenticated
from gatehouse.services import services_of
from gatehouse.web.dependencies import CurrentPrincipal, requires

READ = "audit:read"


def in_utc(moment: datetime) -> datetime:
    """Return the moment in UTC. Raises ValueError for one that has no date there."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("out of range") from None


Moment = Annotated[AwareDatetime, AfterValidator(in_utc)]
User = Annotated[str, AfterValidator(identifier)]  # PostgreSQL could not even be asked about a NUL

router = APIRouter(
    prefix="/api",
    tags=["audit"],
    responses={**Unauthenticated.schema(), **InsufficientScope.schema()},
    dependencies=[Depends(requires(READ))],
)


@router.get("/audit", responses={**BadRequest.schema(), **InvalidInput.schema()})
async def audit(
    request: Request,
    principal: CurrentPrincipal,
    action: Action | None = None,
    user: Annotated[User | None, Query(description="the id of a user")] = None,
    since: Annotated[Moment | None, Query(description="not before; with a time zone")] = None,
    until: Annotated[Moment | None, Query(description="before; with a time zone")] = None,
    limit: Annotated[int, Query(ge=1, le=500, description="most rows of the page")] = 100,
    cursor: Annotated[
        str | None, Query(max_length=100, description="`next_cursor` of the page before")
    ] = None,
) -> AuditPage:
    """What happened in the caller's tenant, the newest first. A row may come a second or two late."""
    engine = services_of(request).engine
    return await audit_page(engine, principal.tenant_id, Wanted(action, user, since, until), limit, cursor)
