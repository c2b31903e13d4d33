"""A call of another server's tool that does not get there."""

import pytest
from langchain_core.tools import ToolException

from gatehouse.identity.caller import Caller
from gatehouse.settings.mcp import McpServer
from gatehouse.tools.remote.calling import Remote


@pytest.mark.parametrize("acts", [True, False])
async def test_that_was_never_sent_has_surely_failed(acts: bool) -> None:
    """Also of a tool that acts: nobody has to find out whether it has."""
    nowhere = McpServer.model_validate({"url": "http://127.0.0.1:9/mcp", "tools": ["*"]})
    with pytest.raises(ToolException, match="does not answer: crm"):
        await Remote("crm", nowhere, "gatehouse").call("pay", {}, Caller("acme", "alice"), acts=acts)
