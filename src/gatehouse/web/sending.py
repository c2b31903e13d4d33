"""How an error is sent to the caller, whatever found it."""

from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gatehouse.plain_json import json_text
from gatehouse.problems.errors import PROBLEM_JSON, ApiError
from gatehouse.web.request_state import state_of


def problem_of(error: ApiError, scope: Scope) -> dict[str, Any]:
    """Return the problem+json body of an error that a request's caller is told of, and let it be seen."""
    state = state_of(scope)
    state.seen.problem(error)
    traced = {"trace_id": state.seen.trace_id} if state.seen.trace_id else {}
    return {**error.problem(f"urn:gatehouse:request:{state.id}"), **traced}


def problem_response(error: ApiError, scope: Scope) -> Response:
    """Return `error` as application/problem+json."""
    body = json_text(problem_of(error, scope))
    return Response(body, error.status, {"cache-control": "no-store", **error.headers}, PROBLEM_JSON)


async def send_problem(error: ApiError, scope: Scope, receive: Receive, send: Send) -> None:
    """Send `error` as application/problem+json; on a WebSocket, refuse the handshake with its status."""
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
        state_of(scope).seen.problem(error)
        await send({"type": "websocket.close", "code": 4000 + error.status, "reason": error.kind})
        return
    await problem_response(error, scope)(scope, receive, send)
