"""What a runnable that does more than write text reports while it runs."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard

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


class Stepwise(Protocol):
    """A runnable whose tool calls can be followed. One without is streamed with `astream` alone."""

    def asteps(self, input: dict[str, Any], config: RunnableConfig) -> AsyncIterator[Step]:  # noqa: A002
        """Yield the answer's chunks and the tool steps in the order in which they happen."""
        ...


def is_stepwise(runnable: object) -> TypeGuard[Stepwise]:
    """Tell whether a runnable's steps can be followed. `isinstance` with a protocol takes 0.1 ms."""
    return hasattr(runnable, "asteps")
