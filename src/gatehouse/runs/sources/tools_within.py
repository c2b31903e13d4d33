"""The tools that the graphs of a runnable call."""

from collections.abc import Iterator, Mapping
from typing import Any

from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langgraph.prebuilt import ToolNode

from gatehouse.runs.sources.graphs.checkpoints import Graph
from gatehouse.runs.sources.sources import ending_graph
from gatehouse.runs.sources.steps import is_stepwise


def graph_of(runnable: Runnable[Any, Any]) -> Graph | None:
    """Return the graph that a runnable is or ends in, None for any other."""
    if is_stepwise(runnable):
        return getattr(runnable, "graph", None)
    ending = ending_graph(runnable, {})
    return ending[1] if ending else None


def tools_within(runnable: Runnable[Any, Any]) -> Mapping[str, BaseTool]:
    """Return the tools by their names, those of the outermost graph first."""
    graph = graph_of(runnable)
    if graph is None:
        return {}
    found: dict[str, BaseTool] = {}
    for one in (graph, *(within for _, within in graph.get_subgraphs(recurse=True))):
        for tool in tools_of(one):
            found.setdefault(tool.name, tool)
    return found


def tools_of(graph: Any) -> Iterator[BaseTool]:
    """Yield the tools of a graph's own nodes."""
    builder = getattr(graph, "builder", None)
    for node in builder.nodes.values() if builder is not None else ():
        if isinstance(node.runnable, ToolNode):
            yield from node.runnable.tools_by_name.values()
