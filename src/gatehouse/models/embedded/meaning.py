"""What a message is about, by the embedded model's own reading of it.

The model is asked for one word that says what a message wants; the vector it holds just before that word
stands for the message (the idea of arXiv:2307.16645, which needs no training). Tools are read in the same
way, and the cosine of the two tells how well they go together. Asked outright, yes or no or which of these
tools, a model of this size answers by the order of the list: 12 of 47 development messages found their
tool, against 42 of 47 by the vectors.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from operator import mul

from gatehouse.models.embedded.examples import CONVERSATION, REQUESTS, TOOLS
from gatehouse.models.embedded.tool_schema import Tool

LONGEST = 600  # characters: what is read must fit into one batch of the model
NEAREST = 3  # examples of each kind that a message is compared with

Vector = Sequence[float]


def wants(text: str) -> str:
    """Return the prompt at whose end the model's state stands for `text`; of a long one start and end."""
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"
    return f'The user says "{text}" because they want in one word:"'


BACKGROUND = tuple(wants(text) for text in (*REQUESTS, *CONVERSATION))
BACKGROUND_TOOLS = tuple(
    tuple(wants(phrase) for phrase in (name, f"{name}: {description}")) for name, description in TOOLS
)


class Meaning:
    """Compares messages and tools by the vectors of their prompts."""

    def __init__(self, vectors: Mapping[str, Vector]) -> None:
        """Take the vectors of BACKGROUND and BACKGROUND_TOOLS, by prompt."""
        self._origin = _mean(vectors[prompt] for prompt in BACKGROUND)
        self._requests = [_unit(vectors[wants(text)], self._origin) for text in REQUESTS]
        self._conversation = [_unit(vectors[wants(text)], self._origin) for text in CONVERSATION]
        tools = [_mean(vectors[prompt] for prompt in tool) for tool in BACKGROUND_TOOLS]
        self._tool_origin = _mean(tools)
        self._other_tools = [_unit(tool, self._tool_origin) for tool in tools]

    def asks(self, message: Vector) -> float:
        """Return how much more a message resembles requests than conversation, from -2 to 2."""
        here = _unit(message, self._origin)
        return _nearness(here, self._requests) - _nearness(here, self._conversation)

    def relevance(self, message: Vector, tool: Iterable[Vector]) -> float:
        """Return how well a message and a tool (the vectors of its prompts) go together, from -1 to 1."""
        return _dot(_unit(message, self._origin), _unit(_mean(tool), self._tool_origin))

    def relevance_elsewhere(self, message: Vector) -> float:
        """Return how well a message goes together with the best of the tools of other fields."""
        here = _unit(message, self._origin)
        return max(_dot(here, tool) for tool in self._other_tools)


def tool_prompts(tool: Tool) -> tuple[str, ...]:
    """Return the prompts whose vectors stand for a tool: its name, and its name with what it does."""
    return wants(tool.words), wants(f"{tool.words}: {tool.purpose}")


def _nearness(here: Vector, others: Iterable[Vector]) -> float:
    return sum(sorted(_dot(here, other) for other in others)[-NEAREST:]) / NEAREST


def _dot(left: Vector, right: Vector) -> float:
    return sum(map(mul, left, right), 0.0)


def _mean(vectors: Iterable[Vector]) -> Vector:
    columns = list(zip(*vectors, strict=True))
    return [sum(column) / len(column) for column in columns]


def _unit(vector: Vector, origin: Vector) -> Vector:
    moved = [value - zero for value, zero in zip(vector, origin, strict=True)]
    length = math.sqrt(_dot(moved, moved)) or 1.0
    return [value / length for value in moved]
