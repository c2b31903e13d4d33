"""The layer behind authentication: every request is charged here, or by the code that starts its runs."""

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatehouse.identity.principal import Principal
from gatehouse.limits.admission import Admission
from gatehouse.limits.streams import OpenStreams
from gatehouse.problems.errors import ApiError
from gatehouse.web.paths import Matching, Operation, Paths
from gatehouse.web.request_state import state_of
from gatehouse.web.sending import send_problem

if TYPE_CHECKING:
    from gatehouse.services import Services


class Limit:
    """Charges each request of a principal once, and tells what is left.

    A request that starts runs is charged with them in one call, by who starts them; what was not charged
    when its response begins, since the request was faulty, is charged then. All others are charged before
    their body is read. An operation that is not declared is of the latter, whatever it does.
    """

    def __init__(self, app: ASGIApp, paths: Paths) -> None:
        self.app = app
        self.starts = Matching(paths.starts)
        self.streams = Matching(paths.streams)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = None if scope["type"] == "lifespan" else state_of(scope)
        if state is None or state.principal is None:  # nobody's: a page that anybody may call
            await self.app(scope, receive, send)
            return
        services: Services = scope["state"]["services"]
        admission = state.admission = Admission(services.limits.limiter, state.principal)
        operation = (scope.get("method", "WEBSOCKET"), scope["path"])
        try:
            if operation not in self.starts:
                await admission.charge()
            with self.counted(operation, services.limits.streams, state.principal):
                await self.app(scope, receive, Answering(admission, scope, receive, send))
        except ApiError as error:
            await send_problem(error, scope, receive, Answering(admission, scope, receive, send))
        finally:
            await admission.close()

    def counted(
        self, operation: Operation, streams: OpenStreams, principal: Principal
    ) -> AbstractContextManager[None]:
        """Return the count of a request that opens a stream. Raises LimitReached."""
        return streams.one_more(principal) if operation in self.streams else nullcontext()


class Answering:
    """`send` that charges what is not charged yet, adds the header fields, and ends the admission in time."""

    def __init__(self, admission: Admission, scope: Scope, receive: Receive, send: Send) -> None:
        self.admission = admission
        self.scope = scope
        self.receive = receive
        self.send = send
        self.replaced = False

    async def __call__(self, message: Message) -> None:
        if self.replaced:
            return
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            try:
                await self.admission.charge()
            except ApiError as error:
                self.replaced = True
                await send_problem(error, self.scope, self.receive, self.send_with_fields)
                return
            self.add_fields(message)
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            await self.admission.close()  # a caller who has the last byte may ask again at once
        await self.send(message)

    async def send_with_fields(self, message: Message) -> None:
        self.add_fields(message)
        await self.send(message)

    def add_fields(self, message: Message) -> None:
        if self.admission.standing is not None and message["type"].endswith("response.start"):
            message["headers"] = [*message.get("headers", ()), *self.admission.standing.fields()]
