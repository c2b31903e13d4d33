"""What surrounds every request: its id, its line in the log, who watches it, and how it is refused."""

import contextlib
import json
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import structlog
from langchain_core.utils.uuid import uuid7
from sse_starlette.sse import SendTimeoutError
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars

from gatehouse.problems.errors import PROBLEM_JSON, ApiError

log = structlog.get_logger(__name__)


class SeenRequest(Protocol):
    """A request that is watched. `trace_id` is empty when nothing is traced."""

    @property
    def trace_id(self) -> str: ...

    def problem(self, error: ApiError) -> None:
        """The caller is told of this error: as a response, in a page, or in a frame of a WebSocket."""
        ...

    def ended(self, status: int, seconds: float) -> None:
        """The last byte was sent; `status` is 0 when there was no response."""
        ...


class RequestWatch(Protocol):
    """Sees every request. `gatehouse.web.request_telemetry` implements it."""

    def request(self, scope: Scope) -> AbstractContextManager[SeenRequest]:
        """Surround a request."""
        ...


class Unwatched:
    """A RequestWatch, and a SeenRequest, that does nothing."""

    trace_id = ""

    def request(self, scope: Scope) -> AbstractContextManager["Unwatched"]:  # noqa: ARG002  # the protocol's
        return contextlib.nullcontext(self)

    def problem(self, error: ApiError) -> None:
        """Do nothing."""

    def ended(self, status: int, seconds: float) -> None:
        """Do nothing."""


UNWATCHED = Unwatched()


def request_id_of(scope: Scope) -> str:
    """Return the id that `RequestContext` gave this request."""
    return str(scope["state"]["request_id"])


def is_draining(scope: Scope) -> bool:
    """Tell whether the server that answers is about to end."""
    services = scope["state"].get("services")
    return services is not None and bool(services.runs.drain.refusing)


def seen(scope: Scope) -> SeenRequest:
    """Return what watches this request."""
    watching: SeenRequest = scope["state"].get("seen", UNWATCHED)
    return watching


def problem_of(error: ApiError, scope: Scope) -> dict[str, Any]:
    """Return the problem+json body of an error that a request's caller is told of, and let it be seen."""
    watching = seen(scope)
    watching.problem(error)
    traced = {"trace_id": watching.trace_id} if watching.trace_id else {}
    return {**error.problem(f"urn:gatehouse:request:{request_id_of(scope)}"), **traced}


def problem_response(error: ApiError, scope: Scope) -> Response:
    """Return `error` as application/problem+json."""
    body = json.dumps(problem_of(error, scope))
    return Response(body, error.status, {"cache-control": "no-store", **error.headers}, PROBLEM_JSON)


async def send_problem(error: ApiError, scope: Scope, receive: Receive, send: Send) -> None:
    """Send `error` as application/problem+json; on a WebSocket, refuse the handshake with its status."""
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
        seen(scope).problem(error)
        await send({"type": "websocket.close", "code": 4000 + error.status, "reason": error.kind})
        return
    await problem_response(error, scope)(scope, receive, send)


class RequestContext:
    """Outermost: gives the request an id, logs its end, and turns an escaped exception into a bare 500."""

    def __init__(self, app: ASGIApp, watch: RequestWatch = UNWATCHED) -> None:
        self.app = app
        self.watch = watch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        request_id = str(uuid7())
        scope.setdefault("state", {})["request_id"] = request_id
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                if is_draining(scope):
                    headers["connection"] = "close"  # the next request comes to another process
            elif message["type"] == "websocket.accept":
                status = 101
            await send(message)

        with (
            self.watch.request(scope) as watching,
            logged_with(request_id=request_id, trace_id=watching.trace_id),
        ):
            scope["state"]["seen"] = watching
            try:
                await self.app(scope, receive, send_with_id)
            except SendTimeoutError:
                log.info("reader cut", path=scope["path"])
            except Exception:
                log.exception("request failed", path=scope["path"])
                if status == 0:
                    await send_problem(ApiError(), scope, receive, send_with_id)
            finally:
                seconds = time.perf_counter() - started
                watching.ended(status, seconds)
                del scope["state"]["seen"]  # they hold each other, and after a long stream that lasts
                log.info(
                    "request",
                    method=scope.get("method", "WEBSOCKET"),
                    path=scope["path"],
                    status=status,
                    duration_ms=round(seconds * 1000, 1),
                    **scope["state"].get("whose", {}),
                )


@contextmanager
def logged_with(**fields: str) -> Iterator[None]:
    """Have log lines tell of these fields that are not empty. structlog's own way costs twice as much."""
    tokens = bind_contextvars(**{name: value for name, value in fields.items() if value})
    try:
        yield
    finally:
        reset_contextvars(**tokens)
