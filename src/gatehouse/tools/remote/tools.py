"""The tools of other MCP servers as an agent's. A server that is away costs its tools, not the agent."""

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog
from langchain_core.runnables.config import ensure_config
from langchain_core.tools import BaseTool, StructuredTool, ToolException
from mcp_types import CallToolResult, TextContent, Tool

from gatehouse.identity.caller import caller_of
from gatehouse.settings.mcp import McpServer
from gatehouse.tools.acting import acts
from gatehouse.tools.remote.connecting import OURSELVES, connected

log = structlog.get_logger(__name__)

START_SECONDS = 10.0  # in which a server must say which tools it has
MOST_PAGES = 20
EFFECT_KEY = "gatehouse/effect_key"  # in the _meta of a call: the same when it is made again after a crash


async def remote_tools(servers: Mapping[str, McpServer], issuer: str) -> dict[str, list[BaseTool]]:
    """Return the tools of each server by its name; none of one that is away, which is logged."""
    found = await asyncio.gather(*(listed(name, server, issuer) for name, server in servers.items()))
    return dict(zip(servers, found, strict=True))


async def listed(name: str, server: McpServer, issuer: str) -> list[BaseTool]:
    """Return the tools of one server that are allowed."""
    try:
        async with asyncio.timeout(START_SECONDS):
            tools = await told(server, issuer)
    except Exception as error:  # whatever it is that another's server does
        log.warning("an MCP server is away: its tools are missing", server=name, error=named(error))
        return []
    if unknown := sorted(set(server.tools) - {tool.name for tool in tools} - {"*"}):
        log.warning("an MCP server has not all the tools that are allowed", server=name, missing=unknown)
    return [as_tool(name, server, issuer, tool) for tool in tools if server.allows(tool.name)]


async def told(server: McpServer, issuer: str) -> list[Tool]:
    """Return the tools that a server lists."""
    tools: list[Tool] = []
    async with connected(server, issuer, OURSELVES) as client:
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            page = await client.list_tools(cursor=cursor)
            tools += page.tools
            cursor = page.next_cursor
            if cursor is None:
                break
    return tools


def as_tool(name: str, server: McpServer, issuer: str, tool: Tool) -> BaseTool:
    """Return a tool of a server as one of an agent: it acts, unless it is known to read alone."""

    async def call(**arguments: Any) -> str:
        caller = caller_of(ensure_config())
        key: Any = {EFFECT_KEY: caller.effect_key} if caller.effect_key else None
        try:
            async with connected(server, issuer, caller) as client:
                result = await client.call_tool(tool.name, arguments, meta=key)
        except Exception as error:
            log.warning("an MCP server did not answer", server=name, tool=tool.name, error=named(error))
            raise ToolException(f"The server of this tool does not answer: {name}.") from error
        return text_of(result)

    made = StructuredTool.from_function(
        coroutine=call,
        name=f"{name}_{tool.name}"[:64],
        description=tool.description or tool.title or tool.name,
        args_schema=dict(tool.input_schema),
    )
    hints = tool.annotations
    if tool.name in server.reads or (hints is not None and hints.read_only_hint):
        return made
    return acts(idempotent=bool(hints is not None and hints.idempotent_hint))(made)


def text_of(result: CallToolResult) -> str:
    """Return what a result says. Raises ToolException for a failure, with what the server says of it."""
    text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
    if result.is_error:
        raise ToolException(text or "The tool failed.")
    return text


def named(error: BaseException) -> str:
    """Return the class of an error: that of the first one in a group, whose messages may hold anything."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return type(error).__name__
