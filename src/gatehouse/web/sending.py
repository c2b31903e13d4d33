"""How an error is sent to the caller, whatever found it."""

from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gatehouse.problems.errors import ApiError
from gatehouse.web.error_shapes import shape_of
from gatehouse.web.request_state import state_of


class ReaderStalled(Exception):
    """A reader has taken nothing of a stream for so long that it was cut."""


def problem_of(error: ApiError, scope: Scope) -> dict[str, Any]:
    """Return the problem+json body of an error that a request's caller is told of, and let it be seen."""
    state = state_of(scope)
    state.seen.problem(error)
    traced = {"trace_id": state.seen.trace_id} if state.seen.trace_id else {}
    return {**error.problem(f"urn:gatehouse:request:{state.id}"), **traced}


def problem_response(error: ApiError, scope: Scope) -> Response:
    """Return `error` in the form that the wire of the request has: most have application/problem+json."""
    shape = shape_of(scope)
    headers = {"cache-control": "no-store", **error.headers, **shape.headers(error, scope)}
    status = shape.statuses.get(error.status, error.status)
    return Response(shape.body(error, problem_of(error, scope)), status, headers, shape.media_type)


async def send_problem(error: ApiError, scope: Scope, receive: Receive, send: Send) -> None:
    """Send `error` as `problem_response` does; on a WebSocket, refuse the handshake with its status."""
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
        state_of(scope).seen.problem(error)
        await send({"type": "websocket.close", "code": 4000 + error.status, "reason": error.kind})
        return
    await problem_response(error, scope)(scope, receive, send)
