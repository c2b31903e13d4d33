"""Tools of an entry that MCP's clients call without its agent (Entry(mcp_tools=…)).

Each is an entry of its own that only MCP knows, whose graph makes the one call. So a call is a run, with the
limits, the approvals and the ledger of any other.
"""

import operator
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.tools.base import get_all_basemodel_annotations
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.prebuilt import InjectedState, ToolNode
from pydantic import BaseModel

from gatehouse.registry.entry import OF_TOOLS, Entry, Parts, ServedEntry, ToolAlone
from gatehouse.registry.runnables import BadRunnable
from gatehouse.registry.shapes.shape import shape_of
from gatehouse.registry.unopened import UnopenedModel
from gatehouse.tools.acting import declared_by
from gatehouse.tools.approving import schema_of

CALL = "call"  # the id of a run's one call: the same in each attempt, as the ledger wants it


class Asked(TypedDict):
    """What a client calls the tool with."""

    arguments: dict[str, Any]


class Answered(TypedDict):
    """The call, and what came of it."""

    messages: Annotated[list[BaseMessage], operator.add]


class Calling(Asked, Answered):
    """The state of a call."""


def tools_alone(entry: Entry, tools: Sequence[BaseTool]) -> tuple[ServedEntry, ...]:
    """Return the entries of those of its own tools that an entry names for MCP. Raises BadRunnable."""
    if unknown := sorted(set(entry.mcp_tools) - {tool.name for tool in tools}):
        raise BadRunnable(f"mcp_tools names what is no tool of its own: {', '.join(unknown)}")
    made = zip(entry.tools, tools, strict=True)
    return tuple(alone(entry, spec, tool) for spec, tool in made if tool.name in entry.mcp_tools)


def alone(entry: Entry, spec: Any, tool: BaseTool) -> ServedEntry:
    """Return a tool as an entry: for who may use the entry that has it. Raises BadRunnable."""
    if takes_state(tool):
        raise BadRunnable(f"mcp_tools names {tool.name}, which takes the state of an agent")
    approve = {name: said for name, said in entry.approve.items() if name == tool.name}
    graph = calling(Parts(UnopenedModel(), [tool], InMemorySaver()))
    path = f"/{OF_TOOLS}{entry.name}/{tool.name}"
    return ServedEntry(
        path,
        calling,
        tool.description,
        tools=[spec],
        approve=approve,
        scope=entry.required_scope,
        deciders=entry.deciders,
        memory="none",
        max_body=entry.max_body,
        checkpoint_types=entry.checkpoint_types,
        shape=shape_of(graph, path.removeprefix("/")),
        tool=ToolAlone(tool.name, arguments_of(tool), declared_by(tool)),
    )


def calling(parts: Parts) -> Runnable[Any, Any]:
    """Return the graph that calls the one tool of its parts."""
    (tool,) = parts.tools

    async def call(state: Calling) -> dict[str, Any]:
        asked = {"name": tool.name, "args": state["arguments"], "id": CALL}
        return {"messages": [AIMessage("", tool_calls=[asked])]}

    graph = StateGraph(Calling, input_schema=Asked, output_schema=Answered)
    graph.add_node("call", call)
    graph.add_node("tools", ToolNode([tool]))
    graph.add_edge(START, "call")
    graph.add_edge("call", "tools")
    return graph.compile(checkpointer=parts.checkpointer, name=tool.name)


def arguments_of(tool: BaseTool) -> Mapping[str, Any]:
    """Return the JSON Schema of a tool's arguments as MCP has it: of an object."""
    return {"type": "object", "properties": {}, **schema_of(tool)}


def takes_state(tool: BaseTool) -> bool:
    """Tell whether an argument of a tool is filled in from an agent's state, of which there is none."""
    taken = tool.get_input_schema()
    if not issubclass(taken, BaseModel):
        return False
    hints = get_all_basemodel_annotations(taken).values()
    return any(
        isinstance(said, InjectedState) or said is InjectedState
        for hint in hints
        for said in getattr(hint, "__metadata__", ())
    )
