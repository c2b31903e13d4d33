"""Calls a tool as an agent does: with a tool call, getting a ToolMessage back."""

import json
from typing import Any

from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool


async def call(tool: BaseTool, config: RunnableConfig | None = None, /, **arguments: Any) -> ToolMessage:
    message = await tool.ainvoke(
        {"type": "tool_call", "id": "call-1", "name": tool.name, "args": arguments}, config
    )
    assert isinstance(message, ToolMessage)
    return message


async def answer(tool: BaseTool, config: RunnableConfig | None = None, /, **arguments: Any) -> dict[str, Any]:
    """Return what the tool answers, parsed; fail when it reports an error."""
    message = await call(tool, config, **arguments)
    assert message.status == "success", message.content
    parsed: dict[str, Any] = json.loads(message.text)
    return parsed


async def refusal(tool: BaseTool, config: RunnableConfig | None = None, /, **arguments: Any) -> str:
    """Return the message of the error that the tool reports; fail when it answers."""
    message = await call(tool, config, **arguments)
    assert message.status == "error", message.content
    return message.text
