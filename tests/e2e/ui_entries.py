"""What the AI SDK's clients are tried with beside the demonstration: an answer that is taken back."""

import asyncio
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable
from langgraph.graph import END, START, MessagesState, StateGraph

from chains.registry import REGISTRY as DEMONSTRATION
from gatehouse import Entry, Parts


async def draft(_state: MessagesState) -> dict[str, Any]:
    return {"messages": [AIMessage("a draft", id="draft")]}


async def final(_state: MessagesState) -> dict[str, Any]:
    await asyncio.sleep(0.5)  # so that a client has the draft
    return {"messages": [AIMessage("the final words", id="final")]}


def second_thoughts(_parts: Parts) -> Runnable[Any, Any]:
    """Return a graph that says a draft, and then something else."""
    graph: Any = StateGraph(MessagesState)
    graph.add_node("draft", draft)
    graph.add_node("final", final)
    graph.add_edge(START, "draft")
    graph.add_edge("draft", "final")
    graph.add_edge("final", END)
    compiled: Runnable[Any, Any] = graph.compile()
    return compiled


REGISTRY = (
    *DEMONSTRATION,
    Entry("/second", second_thoughts, "Thinks twice.", answering=("draft", "final")),
)
