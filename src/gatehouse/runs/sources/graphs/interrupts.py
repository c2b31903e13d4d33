"""What a graph asks people, and what it goes on with when they have answered."""

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.types import Command, Interrupt

from gatehouse.runs.sources.graphs.checkpoints import Graph
from gatehouse.runs.sources.steps import Asked, Interrupted, Path

INTERRUPT = "__interrupt__"  # the key of interrupts in what a graph streams and returns


async def resuming(
    graph: Graph, config: RunnableConfig, answers: Mapping[str, Any]
) -> Command[Any] | Interrupted | None:
    """Return what a graph goes on with from its newest checkpoint: None, or the answers to all that it asks.

    While one is missing it is what is asked.
    """
    asked = tuple(asked_of(one) for one in (await graph.aget_state(config)).interrupts)
    if any(one.id not in answers for one in asked):
        return Interrupted(asked)
    return Command(resume={one.id: answers[one.id] for one in asked}) if asked else None


def asked_of(interrupt: Interrupt, path: Path = ()) -> Asked:
    return Asked(interrupt.id, interrupt.value, interrupt.response_schema, path)


def interrupts_in(update: Any) -> Sequence[Interrupt]:
    """Return the interrupts that a piece of a graph's stream, or its output, tells of."""
    found = update.get(INTERRUPT) if isinstance(update, dict) else None
    return tuple(one for one in found or () if isinstance(one, Interrupt))
