"""A connection to another MCP server, for one listing or one call."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitRequestParams, ElicitResult

from gatehouse.identity.caller import Caller
from gatehouse.settings.mcp import McpServer

OURSELVES = Caller("gatehouse", "gatehouse", "Gatehouse")  # who asks which tools there are


async def left_open(context: Any, params: ElicitRequestParams) -> ElicitResult:  # noqa: ARG001  # the protocol's
    """Leave open what a server of the revision before asks in the middle of a call: nobody is there."""
    return ElicitResult(action="cancel")


@asynccontextmanager
async def connected(server: McpServer, headers: Mapping[str, str]) -> AsyncIterator[Client]:
    """Yield a client that sends these headers. It follows no redirect: a token is for one server."""
    async with (
        httpx2.AsyncClient(headers=dict(headers), timeout=server.timeout, trust_env=False) as http,
        Client(
            streamable_http_client(str(server.url), http_client=http),
            cache=None,
            elicitation_callback=left_open,
        ) as client,
    ):
        yield client
