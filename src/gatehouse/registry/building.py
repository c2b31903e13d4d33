"""The runnables of the entries, each built once a process over its model and its tools."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool

from gatehouse.registry.checked import BadRegistry, Registry
from gatehouse.registry.configuring import specs_of
from gatehouse.registry.context import maker_of
from gatehouse.registry.entry import Parts, ServedEntry
from gatehouse.registry.runnables import BadRunnable, answering_of, approved_without, runnable_of
from gatehouse.registry.shapes.shape import shape_of
from gatehouse.runs.sources.serving import Caching, Serving
from gatehouse.runs.sources.sources import ending_graph
from gatehouse.runs.sources.tools_within import tools_within
from gatehouse.tools.acting import Conduct, declared_by, nobody_acts
from gatehouse.tools.building import BadTool, Resources, build_tools

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Built:
    """The runnables by the path of their entry, the tools of their graphs, and the names of all tools and of
    those that act. What holds one of these sees what is built later too.
    """

    runnables: dict[str, Serving] = field(default_factory=dict)
    within: dict[str, Mapping[str, BaseTool]] = field(default_factory=dict)
    tools: dict[str, None] = field(default_factory=dict)
    acting: dict[str, None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Builder:
    """Builds what the entries of a registry serve from `parts`, with their own tools and those of their MCP
    servers, which are in `remote` by their names.
    """

    registry: Registry
    parts: Parts
    resources: Resources
    conduct: Conduct = nobody_acts
    remote: Mapping[str, Sequence[BaseTool]] = field(default_factory=dict)
    built: Built = field(default_factory=Built)

    def build(self) -> Built:
        """Return the runnable of every entry.

        Raises BadRegistry with the name of the entry whose factory, or whose tool's factory, fails.
        """
        for entry in self.registry.served:
            self._add(entry)
        return self.built

    def build_again(self, servers: Collection[str]) -> None:
        """Build anew what has tools of these MCP servers, which have come; what cannot be stays as it is."""
        for entry in self.registry.served:
            if set(entry.mcp_servers).isdisjoint(servers):
                continue
            try:
                self._add(entry)
            except BadRegistry:
                log.exception("tools that came late cannot be used")

    def _add(self, entry: ServedEntry) -> None:
        built, remote = self.built, self.remote
        try:
            borrowed = [tool for name in entry.mcp_servers for tool in remote.get(name, ())]
            approve = approved_without(entry, [name for name in entry.mcp_servers if not remote.get(name)])
            tools = build_tools([*entry.tools, *borrowed], self.resources, self.conduct, approve)
            runnable = runnable_of(entry, replace(self.parts, tools=tools))
            built.runnables[entry.path] = serving(entry, runnable)
        except (BadTool, BadRunnable) as error:
            raise BadRegistry(f"{self.registry.name}: {entry.path}: {error}") from error
        built.within[entry.path] = tools_within(runnable)
        built.tools.update(dict.fromkeys(tool.name for tool in tools))
        built.acting.update(dict.fromkeys(tool.name for tool in tools if declared_by(tool)))


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
        sessions=tuple(spec.id for spec in specs_of(runnable) if spec.is_shared),
        shows_state=entry.shows_state,
        caching=Caching(entry.cache_seconds, entry.cache_version) if entry.cache_seconds else None,
        context=maker_of(runnable),
    )
