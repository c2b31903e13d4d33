"""Who is calling, as endpoints declare it, and as the API's documentation tells it."""

from collections.abc import Callable, Collection, Coroutine
from typing import Annotated, Any, cast

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from gatehouse.auth.browser.cookie import SECURE_NAME
from gatehouse.auth.browser.origin import media_type
from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import InsufficientScope, UnsupportedMediaType
from gatehouse.web.paths import Operation
from gatehouse.web.request_state import state_of

# Any one of them will do. FastAPI's own classes for them would be called for each request, and check nothing:
# gatehouse.web.middleware.authenticate did that before.
SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "api_key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "session": {"type": "apiKey", "in": "cookie", "name": SECURE_NAME},
}


def principal_of(connection: HTTPConnection) -> Principal:
    """Return who sent the request, as gatehouse.web.middleware.authenticate found it."""
    return cast("Principal", state_of(connection).principal)


async def current_principal(connection: HTTPConnection) -> Principal:
    """Return who sent the request: a dependency, which FastAPI calls in a thread unless it is async."""
    return principal_of(connection)


CurrentPrincipal = Annotated[Principal, Depends(current_principal)]


async def json_body(request: Request) -> None:
    """Refuse a body that a foreign page could send without asking first. Raises UnsupportedMediaType."""
    if media_type(request) != "application/json":
        raise UnsupportedMediaType


def requires(scope: str) -> Callable[[HTTPConnection], Coroutine[None, None, None]]:
    """Return a dependency that raises InsufficientScope for a principal without `scope`."""

    async def check(connection: HTTPConnection) -> None:
        if not principal_of(connection).may(scope):
            raise InsufficientScope(scope)

    return check


def document_credentials(document: dict[str, Any], public: Collection[Operation]) -> None:
    """Say in the OpenAPI document which credentials there are, so that its "Authorize" works.

    The `public` operations need none.
    """
    document.setdefault("components", {})["securitySchemes"] = SCHEMES
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if (method.upper(), path) not in public:
                operation["security"] = [{scheme: []} for scheme in SCHEMES]
