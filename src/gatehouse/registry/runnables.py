"""What an entry's factory makes, as it is served."""

from collections.abc import Iterable
from typing import Any

from langchain_core.runnables import Runnable
from langgraph.pregel import Pregel

from gatehouse.registry.entry import Entry, Parts
from gatehouse.registry.shapes.annotations import is_message
from gatehouse.runs.sources.answers import MESSAGES, READ_FIELDS
from gatehouse.runs.sources.asynchronous import asynchronous
from gatehouse.runs.sources.graphs.answering import Answering, answering
from gatehouse.runs.sources.graphs.checkpoints import Graph
from gatehouse.runs.sources.graphs.streaming_agent import ChatInput, StreamingAgent, TextInput
from gatehouse.runs.sources.unwrapping import unwrapped


class BadRunnable(Exception):
    """A factory that makes nothing that can be served; the message says why."""


def runnable_of(entry: Entry, parts: Parts) -> Runnable[Any, Any]:
    """Return what the entry's factory makes, as it is served. Raises BadRunnable."""
    try:
        runnable = entry.factory(parts)
    except Exception as error:
        raise BadRunnable(f"its factory failed: {type(error).__name__}: {error}") from error
    if not isinstance(runnable, Runnable):
        raise BadRunnable(f"its factory returned {type(runnable).__name__}, not a Runnable")
    runnable = asynchronous(runnable)
    graph = unwrapped(runnable)
    if isinstance(graph, Pregel) and is_message(entry.output_type):
        taking = ChatInput if entry.takes_history else TextInput
        return StreamingAgent(graph, answering_of(entry, graph), taking)
    return runnable


def answering_of(entry: Entry, graph: Graph) -> Answering:
    """Return the nodes of a graph that answer. Raises BadRunnable for the name of one that there is not.

    None does where what the graph returns has no field whose text is to be read: its JSON is the answer then,
    which no model says. The tasks of LangGraph's functional API are known only when they run.
    """
    returned = graph.output_channels
    if (
        not entry.answering
        and not isinstance(returned, str)
        and {MESSAGES, *READ_FIELDS}.isdisjoint(returned)
    ):
        return Answering(frozenset())
    if getattr(graph, "builder", None) is None:
        return answering(graph, entry.answering)
    names = {name for name, _ in graph.get_subgraphs(recurse=True)}
    known = {part for name in names for part in name.split("|")} | set(graph.nodes)
    for _, within in graph.get_subgraphs(recurse=True):
        known |= set(getattr(within, "nodes", ()))
    if unknown := sorted(set(entry.answering) - known):
        raise BadRunnable(f"answering names what is no node of it: {', '.join(unknown)}")
    return answering(graph, entry.answering)


def approved_without(entry: Entry, servers: Iterable[str]) -> dict[str, str]:
    """Return what an entry says of approvals, but for the tools of MCP servers that are not there."""
    away = tuple(f"{name}_" for name in servers)
    return {tool: said for tool, said in entry.approve.items() if not tool.startswith(away)}
