"""The layer that hides what a tenant is not offered."""

from starlette.types import ASGIApp, Receive, Scope, Send

from gatehouse.problems.errors import NotFound
from gatehouse.registry.offered import is_offered, runnable_under
from gatehouse.settings import Settings
from gatehouse.web.request_state import state_of
from gatehouse.web.sending import send_problem


class HideWhatIsNotOffered:
    """Answers under the path of a runnable that a tenant is not offered as if nothing were there.

    Before any route looks at the request: also a wrong method or a faulty body must not tell that it exists.
    """

    def __init__(self, app: ASGIApp, settings: Settings, names: frozenset[str]) -> None:
        self.app = app
        self.settings = settings
        self.names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        principal = None if scope["type"] == "lifespan" else state_of(scope).principal
        name = runnable_under(scope.get("path", ""), self.names)
        if principal and name and not is_offered(self.settings, principal.tenant_id, name):
            await send_problem(NoSuchPath(), scope, receive, send)
            return
        await self.app(scope, receive, send)


class NoSuchPath(NotFound):
    """What the framework answers where there is no route."""

    kind = "http-error"
    default_detail = "Not Found"
