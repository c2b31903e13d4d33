"""An agent that calls tools for the person who asks."""

from typing import Any

from gatehouse import ContainToolFailures, Parts
from langchain.agents import create_agent
from langchain_core.runnables import Runnable

SYSTEM_PROMPT = (
    "You are the front desk of project-name. Use the tools for opening hours; never invent them. When a tool "
    "reports an error, say what is missing. Answer in one or two sentences."
)


def build(parts: Parts) -> Runnable[Any, Any]:
    """Return the agent over the given model and tools."""
    return create_agent(
        parts.model,
        list(parts.tools),
        system_prompt=SYSTEM_PROMPT,
        middleware=[ContainToolFailures()],
        checkpointer=parts.checkpointer,
        name="desk",
    )
