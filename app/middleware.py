"""What surrounds every request, as pure ASGI: request id, access log, security headers, body limit."""

import asyncio
import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import structlog
from langchain_core.utils.uuid import uuid7
from sse_starlette.sse import SendTimeoutError
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars

from app.errors import PROBLEM_JSON, ApiError, PayloadTooLarge, RequestTimeout

log = structlog.get_logger(__name__)

STRICT_CSP = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
# LangServe's playground evaluates code and styles itself inline; no other page may.
PLAYGROUND_CSP = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

LINGER_SECONDS = 2
LENGTH_DIGITS = 18  # of a Content-Length; int() raises for thousands of them


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
    """Sees every request. `app.telemetry.requests` implements it."""

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


class SecurityHeaders:
    """Adds the security headers, with the one exception in the policy that LangServe's playground needs."""

    def __init__(self, app: ASGIApp, playgrounds: tuple[str, ...], https: bool) -> None:
        self.app = app
        self.playgrounds = playgrounds
        always = {
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "x-frame-options": "DENY",
            "cross-origin-opener-policy": "same-origin",
            "permissions-policy": "camera=(), microphone=(), geolocation=()",
            **({"strict-transport-security": "max-age=31536000; includeSubDomains"} if https else {}),
        }
        self.strict = fields_of({**always, "content-security-policy": STRICT_CSP})
        self.lenient = fields_of({**always, "content-security-policy": PLAYGROUND_CSP})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        wanted = self.lenient if scope["path"].startswith(self.playgrounds) else self.strict

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                present = {name for name, _ in headers}
                message["headers"] = [*headers, *(field for field in wanted if field[0] not in present)]
            await send(message)

        await self.app(scope, receive, send_with_headers)


def fields_of(headers: Mapping[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    """Return header fields as ASGI has them."""
    return tuple((name.encode(), value.encode()) for name, value in headers.items())


class BodyLimit:
    """Reads the request body before the application does: bounded in size and in time.

    A body over `max_bytes` is 413, with and without Content-Length; one that takes longer than
    `timeout` seconds is 408, so that a slow sender holds nothing but its own connection.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, timeout: float) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.timeout = timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self.timeout):
                body = await self.read(scope, receive)
        except TimeoutError:
            await send_problem(RequestTimeout(headers={"connection": "close"}), scope, receive, send)
            return
        except PayloadTooLarge as error:
            unread = "connection" in error.headers
            await send_problem(error, scope, receive, lingering(receive, send) if unread else send)
            return
        if body is None:
            return
        pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return pending.pop() if pending else await receive()

        await self.app(scope, replay, send)

    async def read(self, scope: Scope, receive: Receive) -> bytes | None:
        """Return the whole body, or None when the client went away. Raises PayloadTooLarge."""
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if announced.isdigit() and (len(announced) > LENGTH_DIGITS or int(announced) > self.max_bytes):
            raise self.too_large(unread=True)
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self.max_bytes:
                raise self.too_large(unread=message.get("more_body", False))
            if not message.get("more_body", False):
                return b"".join(parts)

    def too_large(self, *, unread: bool) -> PayloadTooLarge:
        # a connection on which more of the body may come cannot be used again
        headers = {"connection": "close"} if unread else {}
        return PayloadTooLarge(f"The request body may have {self.max_bytes} bytes.", headers=headers)


def lingering(receive: Receive, send: Send) -> Send:
    """Return `send`, which after the body takes in for 2 s what the client is still sending.

    A connection that is closed before that is reset, and the client that was sending loses the answer.
    """

    async def send_and_linger(message: Message) -> None:
        if message["type"] != "http.response.body":
            await send(message)
            return
        await send({**message, "more_body": True})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while (await receive()).get("more_body", False):
                    pass
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return send_and_linger
