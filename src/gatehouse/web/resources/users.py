"""The route of users: erase one of one's own tenant."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request

from gatehouse.erasure import Erased, Eraser
from gatehouse.problems.errors import InsufficientScope, InvalidInput, Unauthenticated
from gatehouse.services import services_of
from gatehouse.web.audited import entry_of
from gatehouse.web.dependencies import CurrentPrincipal, requires

ERASE = "users:erase"

router = APIRouter(prefix="/api/users", tags=["users"], responses=Unauthenticated.schema())


@router.delete(
    "/{user_id:path}",
    dependencies=[Depends(requires(ERASE))],
    responses={**InsufficientScope.schema(), **InvalidInput.schema()},
)
async def erase(
    request: Request,
    principal: CurrentPrincipal,
    user_id: Annotated[str, Path(min_length=1, max_length=255, description="a user of the caller's tenant")],
) -> Erased:
    """Erase all that is kept of a user: threads, files, feedback, runs, keys and sessions, for good."""
    services = services_of(request)
    await services.audit.write(entry_of(request, "user.erase", "ok", principal, user_id))
    eraser = Eraser(services.engine, services.redis, services.authenticator.sessions, services.runs)
    return await eraser.erase(principal.tenant_id, user_id)
