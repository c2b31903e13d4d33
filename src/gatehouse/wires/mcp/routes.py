"""MCP over streamable HTTP, of the revision 2026-07-28 and of the one before: each request stands alone."""

from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from gatehouse.plain_json import NotJson, from_json, json_bytes
from gatehouse.problems.errors import (
    BadRequest,
    Forbidden,
    InsufficientScope,
    Unauthenticated,
    UnsupportedMediaType,
)
from gatehouse.services import services_of
from gatehouse.settings import Settings
from gatehouse.web.dependencies import CurrentPrincipal, json_body
from gatehouse.wires.mcp.late import exchanges
from gatehouse.wires.mcp.metadata import base_of
from gatehouse.wires.mcp.offering import tools_of
from gatehouse.wires.mcp.paths import PATH

JSON_RPC: dict[str, Any] = {"application/json": {"schema": {"type": "object"}}}
STREAM: dict[str, Any] = {"text/event-stream": {"schema": {"type": "string"}}}
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "a JSON-RPC response, or a stream of progress that ends with it",
        "content": {**JSON_RPC, **STREAM},
    },
    202: {"description": "a notification was taken"},
    400: {
        "description": "what was sent is no message of JSON-RPC, or no request of HTTP",
        "content": {**JSON_RPC, **BadRequest.schema()[400]["content"]},
    },
    404: {"description": "there is no such method", "content": JSON_RPC},
    406: {"description": "application/json and text/event-stream must be accepted", "content": JSON_RPC},
    **UnsupportedMediaType.schema(),
}
BODY = {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
MAX_NAME = 200  # characters
UNREADABLE = b"{"  # in place of what is no JSON: it is told that it is none
NOT_ALLOWED = "Another site may not call this server: GATEHOUSE_ALLOWED_ORIGINS lists those that may."

router = APIRouter(tags=["MCP"], responses={**Unauthenticated.schema(), **InsufficientScope.schema()})


@router.post(
    PATH,
    response_class=Response,
    responses=ANSWERS,
    dependencies=[Depends(json_body)],
    openapi_extra={"requestBody": BODY},
)
async def mcp(request: Request, principal: CurrentPrincipal) -> Response:
    """A message of the Model Context Protocol: `tools/list`, `tools/call` and what it has beside them."""
    services = services_of(request)
    check_origin(request, services.settings)
    body = await request.body()
    message, read = message_of(body)
    check_names(message)
    entry = tools_of(services, principal).get(called(message))
    if entry is not None and not principal.may(entry.required_scope):
        raise InsufficientScope(entry.required_scope)
    exchange = await exchanges()
    return exchange(read, max(len(read), len(body)))


def check_origin(request: Request, settings: Settings) -> None:
    """Raise Forbidden for a page that is none of ours, nor of an allowed origin.

    Its own Host proves nothing while no public URL is known: a name that was bound to this machine again
    (DNS rebinding) has the same in both.
    """
    origin = request.headers.get("origin")
    if origin is None or origin in settings.page_origins:
        return
    own = settings.public_url or (base_of(request) if is_address(request.url.hostname) else "")
    if origin != own:
        raise Forbidden(NOT_ALLOWED)


def is_address(host: str | None) -> bool:
    """Tell whether a host is this machine, or an address in place of a name."""
    with suppress(ValueError):
        return host == "localhost" or bool(ip_address(host or ""))
    return False


def message_of(body: bytes) -> tuple[Any, bytes]:
    """Return what was sent, and that as JSON; None for what is none, or nested too deep.

    The protocol's own server is handed this JSON in place of the body, and refuses what is no message. It
    reads more than JSON (NaN, 1e999), and what was not read here would not have been checked.
    """
    try:
        message = from_json(body)
        return message, json_bytes(message)
    except (ValueError, NotJson):
        return None, UNREADABLE


def params_of(message: Any) -> Mapping[str, Any]:
    """Return the parameters of a message; empty where there are none."""
    params = message.get("params") if isinstance(message, dict) else None
    return params if isinstance(params, dict) else {}


def check_names(message: Any) -> None:
    """Raise BadRequest for a name of the client's that would make its own answer large.

    Each word of progress repeats the token, for as long as the call goes on.
    """
    about = params_of(message).get("_meta")
    token = about.get("progressToken") if isinstance(about, dict) else None
    identifier = message.get("id") if isinstance(message, dict) else None
    if any(isinstance(name, str) and len(name) > MAX_NAME for name in (identifier, token)):
        raise BadRequest(f"An id and a progressToken may have {MAX_NAME} characters.")


def called(message: Any) -> str:
    """Return the name of the tool that a message calls; empty when it calls none."""
    if not isinstance(message, dict) or message.get("method") != "tools/call":
        return ""
    return str(params_of(message).get("name"))
