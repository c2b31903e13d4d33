"""Which nodes of a graph answer: those whose words may be told while they are said."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from langgraph.graph import END
from langgraph.prebuilt import ToolNode
from langgraph.pregel import Pregel

AGENTS = "langchain.agents.factory"  # where create_agent has its nodes from
MODEL_NODE = "model"


@dataclass(frozen=True, slots=True)
class Answering:
    """The nodes of a graph that answer, and the same of the graphs that are nodes of it.

    `named` are those that an entry names: then no other does, wherever it stands.
    """

    nodes: frozenset[str]
    inner: Mapping[str, "Answering"] = field(default_factory=dict)
    named: frozenset[str] = frozenset()

    def includes(self, path: Collection[str]) -> bool:
        """Tell whether a model that is called in this node answers; the path names the outermost first."""
        if self.named:
            return not self.named.isdisjoint(path)
        node, *rest = path
        if node not in self.nodes:
            return False
        within = self.inner.get(node)
        return within is None or not rest or within.includes(rest)


def answering(graph: Pregel[Any, Any, Any, Any], named: Collection[str] = ()) -> Answering:
    """Return the answering nodes of a graph: those after which it may end.

    In what `create_agent` makes that is the model's node alone, whatever middleware follows it. A graph that
    can't be read has every node that runs no tools.
    """
    if named:
        return Answering(frozenset(), named=frozenset(named))
    inner = {name: answering(within) for name, within in graph.get_subgraphs() if isinstance(within, Pregel)}
    builder = getattr(graph, "builder", None)
    if builder is None:
        return Answering(frozenset(graph.nodes), inner)
    speaking = {name for name, node in builder.nodes.items() if not isinstance(node.runnable, ToolNode)}
    if MODEL_NODE in speaking and is_of_agents(builder.nodes[MODEL_NODE].runnable):
        return Answering(frozenset({MODEL_NODE}), inner)
    last = {name for name in speaking if may_be_last(builder, name)}
    return Answering(frozenset(last or speaking), inner)


def is_of_agents(runnable: Any) -> bool:
    """Tell whether a node is one of create_agent's own."""
    called = getattr(runnable, "func", None) or getattr(runnable, "afunc", None)
    return getattr(called, "__module__", "") == AGENTS


def may_be_last(builder: Any, name: str) -> bool:
    """Tell whether a graph may end after this node."""
    following = {end for start, end in builder.edges if start == name}
    following |= {end for starts, end in builder.waiting_edges if name in starts}
    branches = builder.branches.get(name, {})
    commands = builder.nodes[name].ends or ()
    if END in following or END in commands:
        return True
    if any(branch.ends is None or END in branch.ends.values() for branch in branches.values()):
        return True
    return not following and not branches and not commands
