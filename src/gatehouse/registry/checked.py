"""The list of what is served, checked and built: each fault is told at start, with the entry's name."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph

from gatehouse.registry.entry import Entry, Parts
from gatehouse.runs.sources.streaming_agent import StreamingAgent
from gatehouse.tools.acting import BeforeActing, nobody_acts
from gatehouse.tools.building import BadTool, Resources, build_tools

PATH = re.compile(r"/[a-z0-9][a-z0-9_-]*")


class BadRegistry(Exception):
    """A list that cannot be served; the message names its module, the entry and the cause."""


@dataclass(frozen=True, slots=True)
class Registry:
    """The entries that are served, and the name of their list as errors say it."""

    name: str
    entries: tuple[Entry, ...]

    @property
    def by_name(self) -> dict[str, Entry]:
        return {entry.name: entry for entry in self.entries}


def refuse_taken(registry: Registry, taken: Collection[str]) -> None:
    """Raise BadRegistry for an entry whose name is the first segment of another route's path."""
    for entry in registry.entries:
        if entry.name in taken:
            raise BadRegistry(f"{registry.name}: {entry.path}: Gatehouse itself answers under this path")


@dataclass(frozen=True, slots=True)
class Built:
    """The runnables by the path of their entry, and the names of all their tools."""

    runnables: Mapping[str, Runnable[Any, Any]]
    tools: tuple[str, ...]


def checked(name: str, entries: Sequence[Entry]) -> Registry:
    """Return the registry, or raise BadRegistry for a bad or duplicate path or a missing description."""
    seen: set[str] = set()
    for entry in entries:
        if fault := fault_of(entry, seen):
            raise BadRegistry(f"{name}: {fault}")
        seen.add(entry.path)
    return Registry(name, tuple(entries))


def fault_of(entry: object, seen: set[str]) -> str | None:
    """Return what is wrong with an entry after those whose paths were `seen`, None when nothing is."""
    if not isinstance(entry, Entry):
        return f"{entry!r:.80} is {type(entry).__name__}, not an Entry"
    if not PATH.fullmatch(entry.path):
        return f"{entry.path!r}: a path is a slash and one segment of a-z, 0-9, - and _"
    if entry.path in seen:
        return f"{entry.path}: this path is in the registry twice"
    if not entry.description.strip():
        return f"{entry.path}: the description is missing"
    return None


def build(
    registry: Registry,
    model: BaseChatModel,
    resources: Resources,
    checkpointer: BaseCheckpointSaver[Any] | None = None,
    before_acting: BeforeActing = nobody_acts,
) -> Built:
    """Return the runnable of every entry, each built from tools of its own.

    Raises BadRegistry with the name of the entry whose factory, or whose tool's factory, fails.
    """
    runnables: dict[str, Runnable[Any, Any]] = {}
    names: dict[str, None] = {}
    for entry in registry.entries:
        try:
            tools = build_tools(entry.tools, resources, before_acting)
            runnables[entry.path] = runnable_of(entry, Parts(model, tools, checkpointer))
        except (BadTool, BadRunnable) as error:
            raise BadRegistry(f"{registry.name}: {entry.path}: {error}") from error
        names |= dict.fromkeys(tool.name for tool in tools)
    return Built(runnables, tuple(names))


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
    # a bare agent graph would stream node updates instead of the answer
    return StreamingAgent(runnable) if isinstance(runnable, CompiledStateGraph) else runnable
