"""The tools of an entry: built, guarded when they act, and readable for the model when they fail."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from langchain_core.tools import BaseTool
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.tools.acting import Conduct, declared_by, guarded, nobody_acts
from gatehouse.tools.approving import DECISIONS, asking


@dataclass(frozen=True, slots=True)
class Resources:
    """What a tool's factory is handed: the server's database, in which tools have tables of their own."""

    database: AsyncEngine


ToolEntry = (
    BaseTool | Callable[[Resources], BaseTool]
)  # a tool that needs nothing, or a factory of one that does

MOST_ERRORS = 5  # faulty arguments that a model is told of at once


class BadTool(Exception):
    """A tool that an entry cannot be given; the message names it and says what is wrong."""


def build_tools(
    entries: Sequence[ToolEntry],
    resources: Resources,
    conduct: Conduct = nobody_acts,
    approve: Mapping[str, str] | None = None,
) -> list[BaseTool]:
    """Return the tools, in order; `conduct` makes the calls of those that act.

    `approve` says by their names what a person may decide before each call, such as "approve edit reject",
    in place of what a tool itself says.

    A tool's ToolException and bad arguments become a message that the model can go on from, unless the
    tool handles them in its own way. Raises BadTool for a failing factory, a name that is there twice,
    or a missing description.
    """
    tools: dict[str, BaseTool] = {}
    for entry in entries:
        tool = _built(entry, resources)
        if tool.name in tools:
            raise BadTool(f"tool {tool.name}: this name is there twice")
        if not tool.description.strip():
            raise BadTool(f"tool {tool.name}: the description is missing")
        built = _with_readable_failures(guarded(tool, conduct))
        tools[tool.name] = approved(built, (approve or {}).get(tool.name))
    if unknown := sorted(set(approve or {}) - tools.keys()):
        raise BadTool(f"approve names what is no tool of the entry: {', '.join(unknown)}")
    return list(tools.values())


def approved(tool: BaseTool, said: str | None) -> BaseTool:
    """Return a tool whose calls wait for a person, if that is `said` or it says so itself. Raises BadTool."""
    declared = declared_by(tool)
    words = (declared.approval if declared else "") if said is None else said
    allowed = words.split()
    if unknown := sorted(set(allowed) - set(DECISIONS)):
        known = ", ".join(DECISIONS)
        raise BadTool(f"tool {tool.name}: {', '.join(unknown)} is nothing to decide: {known} are")
    if said is not None and not allowed:
        raise BadTool(f"tool {tool.name}: approve says nothing that may be decided")
    return asking(tool, allowed) if allowed else tool


def _built(entry: ToolEntry, resources: Resources) -> BaseTool:
    if isinstance(entry, BaseTool):
        return entry
    name = getattr(entry, "__name__", repr(entry))
    try:
        tool = entry(resources)
    except Exception as error:
        raise BadTool(f"tool {name}: its factory failed: {type(error).__name__}: {error}") from error
    if not isinstance(tool, BaseTool):
        raise BadTool(f"tool {name}: its factory returned {type(tool).__name__}, not a tool")
    return tool


def _with_readable_failures(tool: BaseTool) -> BaseTool:
    return tool.model_copy(
        update={
            "handle_tool_error": tool.handle_tool_error or True,
            "handle_validation_error": tool.handle_validation_error or what_is_wrong,
        }
    )


def what_is_wrong(error: ValidationError) -> str:
    """Return which arguments of a tool call are faulty and why, without repeating what was sent."""
    faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()[:MOST_ERRORS]]
    return "The arguments are not valid: " + "; ".join(faults) + ". Correct them and call the tool again."
