"""Who is calling, as endpoints declare it."""

from collections.abc import Callable, Coroutine
from typing import Annotated, cast

from fastapi import Depends, Security
from fastapi.security import APIKeyCookie, APIKeyHeader, HTTPBearer
from starlette.requests import HTTPConnection

from app.auth.cookie import SECURE_NAME
from app.auth.principal import Principal
from app.errors import InsufficientScope

# They put "Authorize" into the API documentation and check nothing: app.auth.authenticate did that before
BEARER = HTTPBearer(scheme_name="token", bearerFormat="JWT", auto_error=False)
API_KEY = APIKeyHeader(scheme_name="api_key", name="x-api-key", auto_error=False)
SESSION = APIKeyCookie(scheme_name="session", name=SECURE_NAME, auto_error=False)


async def current_principal(
    connection: HTTPConnection,
    _bearer: Annotated[object, Security(BEARER)],
    _api_key: Annotated[object, Security(API_KEY)],
    _session: Annotated[object, Security(SESSION)],
) -> Principal:
    """Return who sent the request, as app.auth.authenticate found it."""
    return cast("Principal", connection.state.principal)


CurrentPrincipal = Annotated[Principal, Depends(current_principal)]


def requires(scope: str) -> Callable[[Principal], Coroutine[None, None, None]]:
    """Return a dependency that raises InsufficientScope for a principal without `scope`."""

    async def check(principal: CurrentPrincipal) -> None:
        if not principal.may(scope):
            raise InsufficientScope(scope)

    return check
