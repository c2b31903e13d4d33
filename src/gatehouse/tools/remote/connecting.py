"""A connection to another MCP server, for one listing or one call."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from gatehouse.identity.caller import Caller
from gatehouse.settings.mcp import McpServer
from gatehouse.tools.remote.identity import token_for

OURSELVES = Caller("gatehouse", "gatehouse", "Gatehouse")  # who asks which tools there are


@asynccontextmanager
async def connected(
    server: McpServer, issuer: str, caller: Caller, transport: httpx2.AsyncBaseTransport | None = None
) -> AsyncIterator[Client]:
    """Yield a client that calls for the caller. It follows no redirect: a token is for one server."""
    headers = {}
    if server.secret is not None:
        headers["authorization"] = f"Bearer {token_for(server, issuer, caller)}"
    async with (
        httpx2.AsyncClient(
            headers=headers, timeout=server.timeout, transport=transport, trust_env=False
        ) as http,
        Client(streamable_http_client(str(server.url), http_client=http), cache=None) as client,
    ):
        yield client
