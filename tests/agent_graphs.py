"""The demonstration's agent as the graph that it is."""

from typing import Any

from langgraph.graph.state import CompiledStateGraph

from chains import agent
from gatehouse import Parts

AgentGraph = CompiledStateGraph[Any, Any, Any, Any]


def agent_graph(parts: Parts) -> AgentGraph:
    """Return the agent over the given model and tools."""
    graph = agent.build(parts)
    assert isinstance(graph, CompiledStateGraph)
    return graph
