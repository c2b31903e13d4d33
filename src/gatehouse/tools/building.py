"""The agent's tools: the one list. To give the agent a tool, write its file and add its line here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from langchain_core.tools import BaseTool
from pydantic import ValidationError

from tools.acting import BeforeActing, guarded, nobody_acts
from tools.calculate_roi import calculate_roi
from tools.calculator import calculator
from tools.compare_investments import compare_investments
from tools.get_portfolio_performance import get_portfolio_performance
from tools.list_holdings import list_holdings
from tools.portfolio.store import PortfolioStore


@dataclass(frozen=True, slots=True)
class Stores:
    """Where tools read data."""

    portfolio: PortfolioStore


Entry = BaseTool | Callable[[Stores], BaseTool]  # a tool that needs nothing, or a factory of one that does

TOOLS: tuple[Entry, ...] = (
    calculate_roi,
    calculator,
    get_portfolio_performance,
    list_holdings,
    compare_investments,
)

MOST_ERRORS = 5  # faulty arguments that a model is told of at once


class BadTool(Exception):
    """An entry that the agent cannot be given; the message names it and says what is wrong."""


def build_tools(
    stores: Stores, entries: Sequence[Entry] = TOOLS, before_acting: BeforeActing = nobody_acts
) -> list[BaseTool]:
    """Return the tools of all entries, in order; those that act await `before_acting` before each call.

    A tool's ToolException and bad arguments become a message that the model can go on from, unless the
    tool handles them in its own way. Raises BadTool for a failing factory, a name that is there twice,
    or a missing description.
    """
    tools: dict[str, BaseTool] = {}
    for entry in entries:
        tool = _built(entry, stores)
        if tool.name in tools:
            raise BadTool(f"{tool.name}: this name is in the registry twice")
        if not tool.description.strip():
            raise BadTool(f"{tool.name}: the description is missing")
        tools[tool.name] = _with_readable_failures(guarded(tool, before_acting))
    return list(tools.values())


def _built(entry: Entry, stores: Stores) -> BaseTool:
    if isinstance(entry, BaseTool):
        return entry
    name = getattr(entry, "__name__", repr(entry))
    try:
        tool = entry(stores)
    except Exception as error:
        raise BadTool(f"{name}: its factory failed: {error}") from error
    if not isinstance(tool, BaseTool):
        raise BadTool(f"{name}: its factory returned {type(tool).__name__}, not a tool")
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
