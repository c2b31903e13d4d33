"""What tools another MCP server has, as an agent's."""

import asyncio
from typing import Any

import structlog
from langchain_core.runnables.config import ensure_config
from langchain_core.tools import BaseTool, StructuredTool
from mcp_types import Tool

from gatehouse.identity.caller import caller_of
from gatehouse.tools.acting import acts
from gatehouse.tools.remote.calling import Remote, first_of, reason_of
from gatehouse.tools.remote.connecting import OURSELVES, connected

log = structlog.get_logger(__name__)

START_SECONDS = 10.0  # in which a server must say which tools it has
MOST_PAGES = 20


async def listed(remote: Remote, known_away: set[str]) -> list[BaseTool] | None:
    """Return the tools of one server that are allowed, None while it is away.

    Its name is then in `known_away`, so that it is logged once.
    """
    name, server = remote.name, remote.server
    try:
        async with asyncio.timeout(START_SECONDS):
            tools = await told(remote)
    except Exception as error:  # whatever it is that another's server does
        if name not in known_away:
            known_away.add(name)
            why = reason_of(first_of(error))
            log.warning("an MCP server is away: its tools are missing", server=name, error=why)
        return None
    if name in known_away:
        log.info("an MCP server is there: its tools are used", server=name)
    if unknown := sorted(set(server.tools) - {tool.name for tool in tools} - {"*"}):
        log.warning("an MCP server has not all the tools that are allowed", server=name, missing=unknown)
    return [as_tool(remote, tool) for tool in tools if server.allows(tool.name)]


async def told(remote: Remote) -> list[Tool]:
    """Return the tools that a server lists."""
    tools: list[Tool] = []
    headers = await remote.identity.headers(OURSELVES)
    async with connected(remote.server, headers) as client:
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            page = await client.list_tools(cursor=cursor)
            tools += page.tools
            cursor = page.next_cursor
            if cursor is None:
                break
    return tools


def as_tool(remote: Remote, tool: Tool) -> BaseTool:
    """Return a tool of a server as one of an agent: it acts, unless it is known to read alone."""
    server, hints = remote.server, tool.annotations
    reads = tool.name in server.reads or (hints is not None and bool(hints.read_only_hint))

    async def call(**arguments: Any) -> str:
        return await remote.call(tool.name, arguments, caller_of(ensure_config()), acts=not reads)

    made = StructuredTool.from_function(
        coroutine=call,
        name=f"{remote.name}_{tool.name}"[:64],
        description=tool.description or tool.title or tool.name,
        args_schema=dict(tool.input_schema),
    )
    if reads:
        return made
    idempotent = hints is not None and bool(hints.idempotent_hint)
    return acts(idempotent=idempotent, approval=server.approve)(made)
