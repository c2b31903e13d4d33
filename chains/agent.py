"""A tool-calling agent on the caller's own portfolio."""

from typing import Any

from langchain.agents import create_agent
from langchain_core.runnables import Runnable

from gatehouse import ContainToolFailures, Parts

SYSTEM_PROMPT = (
    "You are the investment assistant of a bank. Use the tools for every figure about the caller's "
    "portfolio, for prices and for arithmetic; never invent a number. When a tool reports an error, say "
    "what is missing. Send money and place orders only when the caller asks for exactly that, each once. "
    "Answer in a few sentences."
)


def build(parts: Parts) -> Runnable[Any, Any]:
    """Return the agent over the given model and tools."""
    return create_agent(
        parts.model,
        list(parts.tools),
        system_prompt=SYSTEM_PROMPT,
        middleware=[ContainToolFailures()],
        checkpointer=parts.checkpointer,
        name="agent",
    )
