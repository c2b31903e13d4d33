"""Where an attempt goes on: after the last step that an earlier one has finished, or from the start."""

from collections.abc import Sequence
from contextvars import ContextVar

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

# The tool calls, by id, that the steps before have not answered; None: the attempt began from the start
pending_calls: ContextVar[frozenset[str] | None] = ContextVar("pending_calls", default=None)


def pending_in(messages: Sequence[BaseMessage]) -> frozenset[str]:
    """Return the ids of the tool calls that have no answer."""
    asked = {
        call["id"] or ""
        for message in messages
        if isinstance(message, AIMessage)
        for call in message.tool_calls
    }
    return frozenset(
        asked - {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}
    )
