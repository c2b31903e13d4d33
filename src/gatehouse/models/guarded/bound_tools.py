"""A model with tools, found again for the same tools.

An agent binds its tools to its model before each call of it, which makes their schemas anew.
"""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from langchain_core.tools import BaseTool

Model = TypeVar("Model")

MOST = 16  # that are kept; an agent has one or two

Parts = tuple[Any, ...]


class BoundTools(Generic[Model]):
    """What was made with which tools. A tool is the same as long as all its fields are the same objects."""

    def __init__(self) -> None:
        self._made: list[tuple[Parts, Model]] = []

    def of(self, tools: Sequence[Any], options: Sequence[Any], make: Callable[[], Model]) -> Model:
        """Return what `make` made for these tools and options, or makes now."""
        if not all(isinstance(tool, BaseTool) for tool in tools):
            return make()
        parts = tuple(part for tool in tools for part in (tool, *vars(tool).values())) + tuple(options)
        for known, made in self._made:
            if len(known) == len(parts) and all(
                one is other for one, other in zip(known, parts, strict=True)
            ):
                return made
        made = make()
        self._made = [(parts, made), *self._made[: MOST - 1]]
        return made
