"""The routes by which a caller gets a ticket, and takes a token back."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, StringConstraints

from gatehouse.auth.authenticator import lookup
from gatehouse.auth.browser import tickets
from gatehouse.problems.errors import (
    InsufficientScope,
    InvalidInput,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
)
from gatehouse.problems.faults import StrictModel
from gatehouse.services import services_of
from gatehouse.web.audited import entry_of
from gatehouse.web.auth.keys import ADMIN
from gatehouse.web.dependencies import CurrentPrincipal

PROBLEMS = {
    **Unauthenticated.schema(),
    **UnsupportedMediaType.schema(),
    **InvalidInput.schema(),
    **Unavailable.schema(),
}

router = APIRouter(prefix="/api", tags=["credentials"], responses=PROBLEMS)


class TicketRequest(StrictModel):
    """Where the ticket is to be used."""

    route: Annotated[str, StringConstraints(max_length=100)] = Field(
        description="a path that opens a stream, without its query", examples=["/ws/chat/"]
    )


class IssuedTicket(BaseModel):
    """A ticket, to be sent as `?ticket=…` to its route, once, within `expires_in` seconds."""

    ticket: str
    expires_in: int


class TokenRevocation(StrictModel):
    """The token that is not to be taken any more."""

    jti: Annotated[str, StringConstraints(min_length=1, max_length=255)] = Field(
        description="the token's claim `jti`"
    )


@router.post("/tickets", status_code=201)
async def issue_ticket(
    request: Request, response: Response, principal: CurrentPrincipal, wanted: TicketRequest
) -> IssuedTicket:
    """Get a ticket, for an EventSource or a WebSocket of a page that keeps its credential to itself."""
    response.headers["cache-control"] = "no-store"
    with lookup():
        try:
            ticket = await services_of(request).authenticator.tickets.issue(principal, wanted.route)
        except ValueError:
            raise InvalidInput("No stream is opened at this route by its address alone.") from None
    return IssuedTicket(ticket=ticket, expires_in=tickets.LIFETIME)


@router.post("/tokens/revoke", status_code=204, responses=InsufficientScope.schema())
async def revoke_token(request: Request, principal: CurrentPrincipal, revocation: TokenRevocation) -> None:
    """Take a JWT of one's own tenant back, before it expires: within 5 s on every replica.

    Runs that were started with it end. Anybody may take back the token that they call with; that of
    another needs the scope `keys:admin`.
    """
    own = principal.credential == "jwt" and principal.credential_id == revocation.jti
    if not own and not principal.may(ADMIN):
        raise InsufficientScope(ADMIN)
    with lookup():
        try:
            await services_of(request).authenticator.revoked.revoke(principal.tenant_id, revocation.jti)
        except ValueError:
            raise InvalidInput("A jti has 1 to 255 printable characters.") from None
        entry = entry_of(request, "token.revoke", "ok", principal, revocation.jti)
        await services_of(request).audit.write(entry)
