"""What the AI SDK's clients are tried with beside the demonstration: an answer that is taken back."""

import asyncio
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.runnables import Runnable
from langchain_core.tools import tool
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


@tool
def transfer(to: str, amount: int) -> str:
    """Send money."""
    return f"sent {amount} to {to}"


def paying(parts: Parts) -> Runnable[Any, Any]:
    """Return an agent whose payments wait for a person."""
    asks = HumanInTheLoopMiddleware({"transfer": True}, interrupt_mode="per_call")
    return create_agent(parts.model, [transfer], middleware=[asks], checkpointer=parts.checkpointer)


REGISTRY = (
    *DEMONSTRATION,
    Entry("/second", second_thoughts, "Thinks twice.", answering=("draft", "final")),
    Entry("/pay", paying, "Pays.", output_type=AIMessageChunk),
)
