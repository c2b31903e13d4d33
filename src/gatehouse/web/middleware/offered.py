"""Which runnables a tenant is offered (GATEHOUSE_TENANT_RUNNABLES). What it is not, does not exist for it."""

from collections.abc import Mapping
from typing import TypeVar

from starlette.types import ASGIApp, Receive, Scope, Send

from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import NotFound
from gatehouse.settings import Settings
from gatehouse.web.middleware.request_context import send_problem

Served = TypeVar("Served")


def is_offered(settings: Settings, tenant_id: str, name: str) -> bool:
    """Tell whether a tenant may know of a runnable: one list names it, or there are no lists."""
    lists = settings.tenant_runnables
    if not lists:
        return True
    names = lists.get(tenant_id, lists.get("*", ()))
    return name in names or "*" in names


def offered(settings: Settings, principal: Principal, served: Mapping[str, Served]) -> dict[str, Served]:
    """Return those of the served runnables, by name, that the principal's tenant is offered."""
    tenant_id = principal.tenant_id
    return {name: entry for name, entry in served.items() if is_offered(settings, tenant_id, name)}


class HideWhatIsNotOffered:
    """Answers under the path of a runnable that a tenant is not offered as if nothing were there.

    Before any route looks at the request: also a wrong method or a faulty body must not tell that it exists.
    """

    def __init__(self, app: ASGIApp, settings: Settings, names: frozenset[str]) -> None:
        self.app = app
        self.settings = settings
        self.names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        principal: Principal | None = scope.get("state", {}).get("principal")
        name = scope.get("path", "").removeprefix("/").partition("/")[0]
        if principal and name in self.names and not is_offered(self.settings, principal.tenant_id, name):
            await send_problem(NoSuchPath(), scope, receive, send)
            return
        await self.app(scope, receive, send)


class NoSuchPath(NotFound):
    """What the framework answers where there is no route."""

    kind = "http-error"
    default_detail = "Not Found"
