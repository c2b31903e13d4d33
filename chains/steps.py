"""What a runnable that does more than write text reports while it runs."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from langchain_core.messages import AIMessageChunk
from langchain_core.runnables import RunnableConfig


@dataclass(frozen=True, slots=True)
class ToolCalled:
    """The model asked for a tool."""

    tool: str
    call_id: str
    input: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolReturned:
    """A tool answered, or failed with a message for the model."""

    tool: str
    call_id: str
    output: str
    is_error: bool


Step = AIMessageChunk | ToolCalled | ToolReturned


@runtime_checkable
class Stepwise(Protocol):
    """A runnable whose tool calls can be followed. One without is streamed with `astream` alone."""

    def asteps(self, input: dict[str, Any], config: RunnableConfig) -> AsyncIterator[Step]:  # noqa: A002
        """Yield the answer's chunks and the tool steps in the order in which they happen."""
        ...
