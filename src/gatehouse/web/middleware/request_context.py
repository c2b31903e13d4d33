"""The outermost layer: a request's id, its line in the log, and who watches it."""

import time

import structlog
from langchain_core.utils.uuid import uuid7
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatehouse.problems.errors import ApiError
from gatehouse.telemetry.logs import logged_with
from gatehouse.web.request_state import KEY, UNWATCHED, RequestState, RequestWatch
from gatehouse.web.sending import ReaderStalled, send_problem
from gatehouse.web.server_send import hand_over

log = structlog.get_logger(__name__)

PROBES = frozenset({"/livez", "/readyz"})  # every few seconds, by every balancer: those that fail are logged
FAILED = 400


class RequestContext:
    """Gives the request an id, logs its end, and turns an escaped exception into a bare 500."""

    def __init__(self, app: ASGIApp, watch: RequestWatch = UNWATCHED) -> None:
        self.app = app
        self.watch = watch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        state = scope.setdefault("state", {})[KEY] = RequestState(str(uuid7()))
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = state.id
                if is_draining(scope):
                    headers["connection"] = "close"  # the next request comes to another process
                hand_over(message, send)
            elif message["type"] == "websocket.accept":
                status = 101
                hand_over(message, send)
            await send(message)

        with (
            self.watch.request(scope) as watching,
            logged_with(request_id=state.id, trace_id=watching.trace_id),
        ):
            state.seen = watching
            try:
                await self.app(scope, receive, send_with_id)
            except ReaderStalled:
                log.info("reader cut", path=scope["path"])
            except Exception:
                log.exception("request failed", path=scope["path"])
                if status == 0:
                    await send_problem(ApiError(), scope, receive, send_with_id)
            finally:
                seconds = time.perf_counter() - started
                watching.ended(status, seconds)
                state.seen = UNWATCHED  # they hold each other, and after a long stream that lasts
                probe = scope["path"] in PROBES and status < FAILED
                (log.debug if probe else log.info)(
                    "request",
                    method=scope.get("method", "WEBSOCKET"),
                    path=scope["path"],
                    status=status,
                    duration_ms=round(seconds * 1000, 1),
                    **dict(state.pseudonyms or {}),
                )


def is_draining(scope: Scope) -> bool:
    """Tell whether the server that answers is about to end."""
    services = scope["state"].get("services")
    return services is not None and bool(services.runs.drain.refusing)
