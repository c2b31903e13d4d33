"""MCP's methods: which tools there are for the caller, and a call of one."""

from importlib.metadata import version
from typing import Any

from mcp.server.caching import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    CallToolRequestParams,
    CallToolResult,
    InputRequiredResult,
    ListToolsResult,
    PaginatedRequestParams,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from starlette.requests import Request

from gatehouse.services import services_of
from gatehouse.web.dependencies import principal_of
from gatehouse.web.request_state import admission_of
from gatehouse.wires.mcp.calling import Caller, call
from gatehouse.wires.mcp.offering import tools_of
from gatehouse.wires.mcp.tools import described

Context = ServerRequestContext[Any, Request]


def request_of(context: Context) -> Request:
    """Return the HTTP request that a message came in. Raises MCPError."""
    if context.request is None:
        raise MCPError(INVALID_REQUEST, "Messages come over HTTP here.")
    return context.request


async def list_tools(context: Context, _params: PaginatedRequestParams | None) -> ListToolsResult:
    """Return the entries that the caller may use."""
    request = request_of(context)
    principal = principal_of(request)
    entries = tools_of(services_of(request), principal).values()
    return ListToolsResult(
        tools=[described(entry) for entry in entries if principal.may(entry.required_scope)]
    )


async def call_tool(context: Context, params: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
    """Run an entry. Raises MCPError for one that there is not."""
    request = request_of(context)
    services, principal = services_of(request), principal_of(request)
    entry = tools_of(services, principal).get(params.name)
    if entry is None:
        raise MCPError(INVALID_PARAMS, f"There is no tool {params.name[:100]}.")
    report = context.session.report_progress
    caller = Caller(services, principal, admission_of(request), report, can_ask_its_user(context))
    return await call(caller, entry, params)


def can_ask_its_user(context: Context) -> bool:
    """Tell whether the client takes `input_required` with forms: of the revision before no one does."""
    capabilities = context.session.client_capabilities
    elicitation = capabilities.elicitation if capabilities else None
    forms = elicitation is not None and (elicitation.form is not None or elicitation.url is None)
    return forms and context.session.protocol_version in MODERN_PROTOCOL_VERSIONS


def mcp_server() -> Server[Any]:
    """Return the server. It holds nothing of a caller: all that is known comes with each request."""
    return Server(
        "gatehouse",
        version=version("gatehouse-server"),
        cache_hints={"tools/list": CacheHint(ttl_ms=60_000, scope="private")},
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )
