"""The prompts, and the tools that they are asked with."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from langchain_core.tools import BaseTool, tool

from chains.registry import REGISTRY
from gatehouse.tools.building import Resources, build_tools

HERE = Path(__file__).parent
Period = Literal["1w", "1m", "3m", "6m", "1y", "2y"]


@dataclass(frozen=True, slots=True)
class Prompt:
    """A message, the calls that it asks for (none, or by tool the arguments), whether a question is due."""

    id: int
    kind: str
    prompt: str
    calls: Mapping[str, Mapping[str, Any]]
    asks: bool = field(default=False)


@dataclass(frozen=True, slots=True)
class Set:
    """Prompts that are asked with the same tools; `what` says what it shows."""

    name: str
    what: str
    prompts: Sequence[Prompt]
    tools: Sequence[BaseTool]


def shipped() -> list[BaseTool]:
    """Return the tools of the demonstration's agent. They are never run here, so they need no database."""
    agent = next(entry for entry in REGISTRY if entry.path == "/agent")
    return build_tools(agent.tools, Resources(database=None))  # type: ignore[arg-type]


def reworded() -> list[BaseTool]:
    """Return tools with the same names and parameters, described in other words."""

    @tool
    def calculate_roi(initial: float, final: float) -> None:
        """Return on investment in percent, from the initial and the final value."""

    @tool
    def calculator(expression: str) -> None:
        """Evaluate an arithmetic expression such as (2+3)*4 or sqrt(2)."""

    @tool
    def get_portfolio_performance(period: Period = "1y") -> None:
        """How the caller's own portfolio performed over a period."""

    @tool
    def list_holdings() -> None:
        """The caller's own holdings: symbols, quantities, market values."""

    @tool
    def compare_investments(symbols: list[str], period: Period = "1y") -> None:
        """Compare price performance of two or more symbols over a period."""

    return [calculate_roi, calculator, get_portfolio_performance, list_holdings, compare_investments]


def others() -> list[BaseTool]:
    """Return tools of other fields, with other shapes of parameters."""

    @tool
    def convert_currency(amount: float, source: str, target: str) -> None:
        """Convert an amount of money from one currency to another."""

    @tool
    def get_weather(city: str) -> None:
        """The weather forecast for a city."""

    @tool
    def set_timer(minutes: int) -> None:
        """Set a timer that rings after some minutes."""

    @tool
    def list_accounts() -> None:
        """The caller's own bank accounts and their balances."""

    @tool
    def search_documents(query: str) -> None:
        """Search the company's documents."""

    return [convert_currency, get_weather, set_timer, list_accounts, search_documents]


def both() -> list[BaseTool]:
    """Return the tools of the demonstration's agent and those of other fields."""
    return [*shipped(), *others()]


def sets() -> list[Set]:
    """Return every set, the one that counts first."""
    described: list[tuple[str, str, str, Callable[[], list[BaseTool]]]] = [
        ("test", "the shipped tools", "prompts", shipped),
        ("test, reworded", "the same prompts; the tools described in other words", "prompts", reworded),
        ("development", "what the weights were set on", "dev", shipped),
        ("development, reworded", "the same; the tools described in other words", "dev", reworded),
        ("other tools", "tools of other fields", "other_tools", others),
        (
            "second",
            "written after the code was final; the shipped tools and those of other fields",
            "second",
            both,
        ),
    ]
    return [Set(name, what, read(file), tools()) for name, what, file, tools in described]


def read(file: str) -> list[Prompt]:
    """Return the prompts of one of the files beside this module."""
    lines = (HERE / f"{file}.jsonl").read_text().splitlines()
    return [Prompt(**json.loads(line)) for line in lines]
