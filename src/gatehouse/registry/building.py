"""The runnables of the entries, each built once a process over its model and its tools."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langgraph.checkpoint.base import BaseCheckpointSaver

from gatehouse.registry.checked import BadRegistry, Registry
from gatehouse.registry.context import maker_of
from gatehouse.registry.entry import Parts, ServedEntry
from gatehouse.registry.runnables import BadRunnable, answering_of, approved_without, runnable_of
from gatehouse.registry.shape import shape_of
from gatehouse.runs.sources.serving import Caching, Serving
from gatehouse.runs.sources.sources import ending_graph
from gatehouse.tools.acting import Conduct, declared_by, nobody_acts
from gatehouse.tools.building import BadTool, Resources, build_tools


@dataclass(frozen=True, slots=True)
class Built:
    """The runnables by the path of their entry, and the names of all their tools and of those that act."""

    runnables: Mapping[str, Serving]
    tools: tuple[str, ...]
    acting: tuple[str, ...] = ()


def build(
    registry: Registry,
    model: BaseChatModel,
    resources: Resources,
    checkpointer: BaseCheckpointSaver[Any] | None = None,
    conduct: Conduct = nobody_acts,
    remote: Mapping[str, Sequence[BaseTool]] = MappingProxyType({}),
) -> Built:
    """Return the runnable of every entry, each built from its own tools and those of its MCP servers, which
    are in `remote` by their names.

    Raises BadRegistry with the name of the entry whose factory, or whose tool's factory, fails.
    """
    runnables: dict[str, Serving] = {}
    names: dict[str, None] = {}
    acting: dict[str, None] = {}
    for entry in registry.served:
        try:
            borrowed = [tool for name in entry.mcp_servers for tool in remote.get(name, ())]
            approve = approved_without(entry, [name for name in entry.mcp_servers if not remote.get(name)])
            tools = build_tools([*entry.tools, *borrowed], resources, conduct, approve)
            runnables[entry.path] = serving(entry, runnable_of(entry, Parts(model, tools, checkpointer)))
        except (BadTool, BadRunnable) as error:
            raise BadRegistry(f"{registry.name}: {entry.path}: {error}") from error
        names |= dict.fromkeys(tool.name for tool in tools)
        acting |= dict.fromkeys(tool.name for tool in tools if declared_by(tool))
    return Built(runnables, tuple(names), tuple(acting))


def serving(entry: ServedEntry, runnable: Runnable[Any, Any]) -> Serving:
    """Return the runnable as the engine takes it.

    Its types are read anew: a factory that declares some has made others when the entry was checked.
    """
    ending = ending_graph(runnable, {})
    shape = shape_of(runnable, entry.name, entry.input_type, entry.output_type)
    return Serving(
        runnable,
        shape.typed,
        shape.with_history,
        shape.with_files,
        answering_of(entry, ending[1]) if ending else None,
        memory=entry.memory,
        order=shape.order,
        sessions=tuple(spec.id for spec in runnable.config_specs if spec.is_shared),
        shows_state=entry.shows_state,
        caching=Caching(entry.cache_seconds, entry.cache_version) if entry.cache_seconds else None,
        context=maker_of(runnable),
    )
