"""The list of what is served, checked and built: each fault is told at start, with the entry's name."""

import dataclasses
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.pregel import Pregel
from langgraph.store.memory import InMemoryStore
from sqlalchemy.ext.asyncio import create_async_engine

from gatehouse.registry.configuring import specs_of
from gatehouse.registry.context import context_of
from gatehouse.registry.entry import Entry, Parts, ServedEntry
from gatehouse.registry.faults import called_the_same, fault_of
from gatehouse.registry.runnables import BadRunnable, answering_of, approved_without, runnable_of
from gatehouse.registry.shapes.schemas import classes_in
from gatehouse.registry.shapes.shape import shape_of
from gatehouse.registry.tools_alone import tools_alone
from gatehouse.registry.unopened import UnopenedModel
from gatehouse.runs.sources.sources import ending_graph
from gatehouse.runs.sources.tools_within import graph_of
from gatehouse.runs.sources.unwrapping import parts_of
from gatehouse.tools.acting import declared_by
from gatehouse.tools.approving import allowed_by
from gatehouse.tools.building import BadTool, Resources, build_tools


class BadRegistry(Exception):
    """A list that cannot be served; the message names its module, the entry and the cause."""


@dataclass(frozen=True, slots=True)
class Registry:
    """The entries that are served, and the name of their list as errors say it."""

    name: str
    entries: tuple[ServedEntry, ...]

    @property
    def served(self) -> tuple[ServedEntry, ...]:
        """The entries, and those of the tools that MCP's clients call without an agent."""
        return tuple(one for entry in self.entries for one in (entry, *entry.alone))

    @property
    def by_name(self) -> dict[str, ServedEntry]:
        return {entry.name: entry for entry in self.entries}


def refuse_taken(registry: Registry, taken: Collection[str]) -> None:
    """Raise BadRegistry for an entry whose name is the first segment of another route's path."""
    for entry in registry.entries:
        if entry.name.partition("/")[0] in taken:
            raise BadRegistry(f"{registry.name}: {entry.path}: Gatehouse itself answers under this path")


def checked(name: str, entries: Sequence[Entry]) -> Registry:
    """Return the registry with the shapes of its runnables.

    Each is built once for that, over a model that cannot be asked and a database that is empty. Raises
    BadRegistry for a bad or duplicate path, a missing description, or a runnable that cannot be served.
    """
    seen: set[str] = set()
    for entry in entries:
        if fault := fault_of(entry, seen):
            raise BadRegistry(f"{name}: {fault}")
        seen.add(entry.path)
    with warnings.catch_warnings(action="ignore"):  # they come again when the server starts
        registry = Registry(name, tuple(read(name, entry) for entry in entries))
    if twice := called_the_same(registry.entries):
        raise BadRegistry(f"{name}: {twice}: MCP's clients would call another entry the same")
    return registry


def read(name: str, entry: Entry) -> ServedEntry:
    """Return the entry with the shape of its runnable. Raises BadRegistry."""
    if isinstance(entry, ServedEntry):
        return entry
    resources = Resources(create_async_engine("sqlite+aiosqlite://"))
    try:
        tools = build_tools(entry.tools, resources, approve=approved_without(entry, entry.mcp_servers))
        runnable = runnable_of(entry, Parts(UnopenedModel(), tools, InMemorySaver(), InMemoryStore()))
        if asking := [tool.name for tool in tools if allowed_by(tool)]:
            refuse_unaskable(runnable, asking)
        if entry.cache_seconds and (why := why_not_cached(entry, runnable, tools)):
            raise BadRunnable(f"cache_seconds {entry.cache_seconds!r}: {why}")
        refuse_breakpoints(runnable)
        return replace(served_entry(entry, runnable), alone=tools_alone(entry, tools))
    except (BadTool, BadRunnable) as error:
        raise BadRegistry(f"{name}: {entry.path}: {error}") from error


def refuse_unaskable(runnable: Runnable[Any, Any], tools: Sequence[str]) -> None:
    """Raise BadRunnable where a run could not wait for a person who decides on the calls of these tools."""
    graph, names = graph_of(runnable), ", ".join(tools)
    if graph is None:
        raise BadRunnable(f"{names} wait for approval, which only a graph can: it is none, and ends in none")
    if not graph.checkpointer:
        raise BadRunnable(f"{names} wait for approval: hand its graph the checkpointer of Parts")


def refuse_breakpoints(runnable: Runnable[Any, Any]) -> None:
    """Raise BadRunnable for a graph that stops at a node and asks nothing that a person could decide."""
    graph = graph_of(runnable)
    within = [] if graph is None else [one for _, one in graph.get_subgraphs(recurse=True)]
    for one in (graph, *within):
        if getattr(one, "interrupt_before_nodes", ()) or getattr(one, "interrupt_after_nodes", ()):
            raise BadRunnable(
                "its graph is compiled with interrupt_before or interrupt_after, which asks nobody anything: "
                "call interrupt() in the node, or say approve=… for its tools (docs/approvals.md)"
            )


def served_entry(entry: Entry, runnable: Runnable[Any, Any]) -> ServedEntry:
    """Return the entry with the shape of this runnable. Raises BadRunnable."""
    try:
        shape = shape_of(runnable, entry.name, entry.input_type, entry.output_type)
        for schema in (shape.input_schema, shape.output_schema):
            schema.model_json_schema()
    except Exception as error:
        raise BadRunnable(
            f"its types cannot be told ({type(error).__name__}: {error}): give the entry an input_type "
            "and an output_type, or the runnable with_types"
        ) from error
    if ending := ending_graph(runnable, {}):
        answering_of(entry, ending[1])
    elif entry.answering:
        raise BadRunnable("answering names nodes, and it is no graph")
    if entry.client_tools and not isinstance(runnable, BaseChatModel):
        raise BadRunnable("client_tools is for a chat model itself, and its factory makes something else")
    context = context_of(runnable)
    specs = {spec.id: spec for spec in [*(context.specs() if context else ()), *specs_of(runnable)]}
    if unknown := sorted(set(entry.configurable) - specs.keys()):
        raise BadRunnable(f"configurable names what it does not have: {', '.join(unknown)}")
    said = {field.name: getattr(entry, field.name) for field in dataclasses.fields(Entry)}
    said["checkpoint_types"] = {*entry.checkpoint_types, *declared_types(runnable)}
    allowed = [specs[name] for name in entry.configurable]
    withheld = frozenset(specs.keys() - set(entry.configurable))
    return ServedEntry(**said, shape=shape, fields=allowed, withheld=withheld)


def why_not_cached(entry: Entry, runnable: Runnable[Any, Any], tools: Sequence[BaseTool]) -> str | None:
    """Return why the answers of a runnable cannot be given again, None when they can."""
    if type(entry.cache_seconds) is not int or entry.cache_seconds < 0:
        return "that is no number of whole seconds"
    if entry.memory == "state":
        return "its threads have a state, so it does not answer alike"
    if any(spec.is_shared for spec in specs_of(runnable)):
        return "it keeps a history of its own, so it does not answer alike"
    acting = [tool.name for tool in tools if declared_by(tool)]
    if acting or entry.mcp_servers:
        return f"what acts is not answered for: {', '.join([*acting, *entry.mcp_servers])}"
    return None


def declared_types(runnable: Runnable[Any, Any]) -> set[type]:
    """Return the classes that the states of its graphs are declared with: checkpoints have such objects."""
    graphs: list[Any] = [part for part in parts_of(runnable) if isinstance(part, Pregel)]
    graphs += [within for graph in graphs for _, within in graph.get_subgraphs(recurse=True)]
    states = [getattr(getattr(graph, "builder", None), "state_schema", None) for graph in graphs]
    return {kind for state in states for kind in classes_in(state)}
