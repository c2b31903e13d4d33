"""The innermost layer: answers the operations that are asked most without the framework's routing.

FastAPI looks for a route twice, hands it through the routers that it is in, and puts a stack of contexts and
two layers around it, for dependencies that these operations do not have. They are routes beside this, for
the documentation, for every other method, and for the requests that are not answered here.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gatehouse.web.middleware.body_limit import with_body
from gatehouse.web.paths import Operation

Answer = Callable[[Request], Awaitable[Response | None]]  # None: the route is to answer


@dataclass(frozen=True, slots=True)
class ShortRoute:
    """What answers one operation, whose path holds no parameters: it is the route's name in metrics too."""

    path: str
    answer: Answer


class ShortRoutes:
    """Finds what answers an operation by its method and its path, and leaves the others to the routes."""

    def __init__(
        self, app: ASGIApp, answers: Mapping[Operation, Answer], handlers: Mapping[Any, Any]
    ) -> None:
        """`handlers` make responses of what an answer raises."""
        self.app = app
        self.routes = {operation: ShortRoute(operation[1], answer) for operation, answer in answers.items()}
        self.found = ExceptionMiddleware(self.answered, handlers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (route := self.routes.get((scope["method"], scope["path"]))):
            scope["route"] = route
            await self.found(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def answered(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what answers a request, or leave it to its route."""
        route: ShortRoute = scope["route"]
        request = Request(scope, receive, send)
        response = await route.answer(request)
        if response is not None:
            await response(scope, receive, send)
            return
        del scope["route"]
        await self.app(scope, with_body(await request.body(), receive), send)
