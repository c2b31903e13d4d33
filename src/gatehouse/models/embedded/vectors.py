"""What messages and tools are about, by the embedded model's own reading of them.

The model is asked for one word that says what a message wants; the vector it holds just before that word
stands for the message (the idea of arXiv:2307.16645, which needs no training). Tools are read in the same
way. Asked outright which of these tools, a model of this size answers by the order of the list: 12 of 47
development messages found their tool, against 42 of 47 by the cosine of the vectors.
"""

import json
import math
import struct
from collections.abc import Callable, Iterable, Sequence
from operator import mul
from pathlib import Path
from typing import Any

from gatehouse.models.embedded.tool_schema import Tool

# requests, conversation and tools of no particular field: what a served tool does is learnt from itself
EVERYDAY: dict[str, list[Any]] = json.loads(Path(__file__).with_name("everyday.json").read_text())
SAID = {text: each["say"] for each in EVERYDAY["replies"] for text in each["to"]}
KINDS = [EVERYDAY["requests"], EVERYDAY["conversation"], [*SAID], EVERYDAY["tools"]]
FILE = Path(__file__).with_name("everyday.vectors")  # reading takes seconds; without the file it is written
SIZE = 576  # numbers of a vector
LONGEST = 600  # characters: what is read must fit into one batch of the model
NEAREST = 3  # everyday messages of each kind that a message is compared with
ALIKE, APART = 0.5, 0.05  # how near small talk must be, and how much nearer than anything else
MOST_KEPT = 512  # vectors of messages and tools that were read

Vector = Sequence[float]


def wants(text: str) -> str:
    """Return the prompt at whose end the model's state stands for `text`; of a long one start and end."""
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"
    return f'The user says "{text}" because they want in one word:"'


class Vectors:
    """Compares messages and tools by their vectors, which `read` returns for prompts."""

    def __init__(self, read: Callable[[list[str]], list[Vector]]) -> None:
        self._read = read
        self._kept: dict[str, Vector] = {}
        if not FILE.exists():
            new = read([wants(text) for texts in KINDS for text in texts])
            FILE.write_bytes(b"".join(struct.pack(f"<{SIZE}e", *vector) for vector in new))
        kept = struct.iter_unpack(f"<{SIZE}e", FILE.read_bytes())
        *messages, tools = ([next(kept) for _ in texts] for texts in KINDS)
        self._origin, self._origin_of_tools = _mean([v for kind in messages for v in kind]), _mean(tools)
        units = [[_unit(vector, self._origin) for vector in kind] for kind in messages]
        self._requests, self._conversation, self._small_talk = units
        self._other_tools = [_unit(vector, self._origin_of_tools) for vector in tools]

    def asks(self, message: str) -> float:
        """Return how much more a message resembles requests than conversation, from -2 to 2."""
        here = _unit(self._of(message)[0], self._origin)
        return _nearness(here, self._requests) - _nearness(here, self._conversation + self._small_talk)

    def reply(self, message: str) -> str | None:
        """Return what is always said to such a message, if it is small talk, else None."""
        here = _unit(self._of(message)[0], self._origin)
        alike = [_dot(here, each) for each in self._small_talk]
        others = max(_dot(here, other) for other in self._requests + self._conversation)
        said = list(SAID.values())[alike.index(max(alike))]
        return said if max(alike) > max(ALIKE, others + APART) else None

    def relevance(self, message: str, tools: Sequence[Tool]) -> tuple[list[float], float]:
        """Return how well a message goes with each tool, and with the best of those of other fields."""
        vector, *read = self._of(message, *(text for tool in tools for text in tool.texts))
        here = _unit(vector, self._origin)
        there = [_mean(pair) for pair in zip(read[::2], read[1::2], strict=True)]
        found = [_dot(here, _unit(tool, self._origin_of_tools)) for tool in there]
        return found, max(_dot(here, tool) for tool in self._other_tools)

    def _of(self, *texts: str) -> list[Vector]:
        """Return the vectors of texts; those that are not known are read at once."""
        prompts = [wants(text) for text in texts]
        kept = self._kept if len(self._kept) < MOST_KEPT else {}
        if new := [prompt for prompt in dict.fromkeys(prompts) if prompt not in kept]:
            kept = kept | dict(zip(new, self._read(new), strict=True))
            self._kept = kept  # another thread sees all that was before, or all that is now
        return [kept[prompt] for prompt in prompts]


def _nearness(here: Vector, others: Iterable[Vector]) -> float:
    return sum(sorted(_dot(here, other) for other in others)[-NEAREST:]) / NEAREST


def _dot(left: Vector, right: Vector) -> float:
    return sum(map(mul, left, right), 0.0)


def _mean(vectors: Sequence[Vector]) -> Vector:
    return [sum(column) / len(vectors) for column in zip(*vectors, strict=True)]


def _unit(vector: Vector, origin: Vector) -> Vector:
    moved = [value - zero for value, zero in zip(vector, origin, strict=True)]
    length = math.sqrt(_dot(moved, moved)) or 1.0
    return [value / length for value in moved]
