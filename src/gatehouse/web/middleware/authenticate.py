"""The layer that every request passes: default deny."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from gatehouse.auth.browser.destination import signin_for
from gatehouse.auth.credentials import without_ticket, without_tokens
from gatehouse.identity.principal import Principal
from gatehouse.models.asking import asked_for
from gatehouse.problems.errors import ApiError, InvalidCredential, Unauthenticated
from gatehouse.telemetry.logs import logged_with
from gatehouse.web.paths import Operation
from gatehouse.web.request_state import state_of
from gatehouse.web.sending import send_problem

if TYPE_CHECKING:
    from gatehouse.services import Services


class Authenticate:
    """Puts the principal into the request's state, or refuses the request.

    It decides on `scope["path"]` alone, by equality: no Host header, double slash or encoded slash
    leads around it.
    """

    def __init__(self, app: ASGIApp, public: Collection[Operation]) -> None:
        """Nobody has to say who they are for the `public` operations, whose paths hold no parameters."""
        self.app = app
        self.public = public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or (
            scope["type"] == "http" and (scope["method"], scope["path"]) in self.public
        ):
            await self.app(scope, receive, send)
            return
        services: Services = scope["state"]["services"]
        try:
            principal = await self.principal_of(scope, services)
        except ApiError as error:
            await refuse(error, scope, receive, send)
            return
        if scope["type"] == "websocket":
            scope["subprotocols"] = without_tokens(scope.get("subprotocols", ()))
        state = state_of(scope)
        whose = services.pseudonyms.fields(principal)
        state.principal, state.pseudonyms = principal, whose
        asked_for(principal.tenant_id, principal.user_id)
        with logged_with(**whose):
            await self.app(scope, receive, send)

    async def principal_of(self, scope: Scope, services: "Services") -> Principal:
        """Return who asks, and take a ticket out of the scope. Raises ApiError.

        What is looked at lives only as long as this: a stream would hold it for as long as it is open.
        """
        connection = HTTPConnection({**scope})
        if scope["query_string"]:
            scope["query_string"] = without_ticket(scope["query_string"])
        return await services.authenticator.authenticate(connection)


async def refuse(error: ApiError, scope: Scope, receive: Receive, send: Send) -> None:
    """Send `error`; a person who opens a page without being signed in goes to the sign-in page instead."""
    if isinstance(error, Unauthenticated | InvalidCredential) and opens_page(scope):
        state_of(scope).seen.problem(error)
        response = RedirectResponse(signin_for(scope), 303, {"cache-control": "no-store"})
        await response(scope, receive, send)
    else:
        await send_problem(error, scope, receive, send)


def opens_page(scope: Scope) -> bool:
    """Tell whether a browser navigates, rather than a script or a program asking for data."""
    if scope["type"] != "http":
        return False
    headers = HTTPConnection(scope).headers
    return headers.get("sec-fetch-mode") == "navigate" and "text/html" in headers.get("accept", "")
