"""The tools of other MCP servers as an agent's. A server that is away costs its tools, not the agent."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from langchain_core.tools import BaseTool

from gatehouse.settings.mcp import McpServer

if TYPE_CHECKING:
    from gatehouse.tools.remote.calling import Remote


class RemoteTools:
    """The tools of MCP servers by the servers' names; of one that was not there yet, none."""

    def __init__(self, servers: Mapping[str, McpServer], issuer: str) -> None:
        """`issuer` is who signs, as the servers know us."""
        self.tools: dict[str, list[BaseTool]] = {}
        self._missing = {name: remote_of(name, server, issuer) for name, server in servers.items()}
        self._known: set[str] = set()  # to be away, so that it is logged once

    @property
    def missing(self) -> bool:
        """Tell whether a server has not said yet which tools it has."""
        return bool(self._missing)

    async def look(self) -> list[str]:
        """Ask the servers that are missing for their tools; return the names of those that have answered."""
        if not self._missing:
            return []
        from gatehouse.tools.remote.listing import listed  # noqa: PLC0415  # as below

        asked = self._missing.values()
        found = await asyncio.gather(*(listed(remote, self._known) for remote in asked))
        came = {name: tools for name, tools in zip(self._missing, found, strict=True) if tools is not None}
        for name in came:
            del self._missing[name]
        self.tools.update(came)
        return list(came)


def remote_of(name: str, server: McpServer, issuer: str) -> "Remote":
    """Return the way to call a server."""
    from gatehouse.tools.remote.calling import Remote  # noqa: PLC0415  # MCP's types take half a second

    return Remote(name, server, issuer)
