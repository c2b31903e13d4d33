"""The cues of the scripted chat model, read from a message. `scripted` documents them."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

Number = TypeVar("Number", int, float)

_CUE = re.compile(r"\[(?:(?P<kind>tokens|delay|say|fail)\b\s*(?P<rest>[^\]]*)\]|tool\s+(?P<tool>[\w.-]+)\s*)")
_FAIL = re.compile(r"(?:after\s+(?P<after>\d+)\s*)?(?P<text>.*)", re.DOTALL)  # matches every text


class BadCue(ValueError):
    """A cue that cannot be read; the message shows it."""


@dataclass(frozen=True, slots=True)
class Words:
    """Tokens to say; `delay` is in seconds before each, None where the message sets none."""

    tokens: Iterable[str]
    delay: float | None = None


@dataclass(frozen=True, slots=True)
class ToolCue:
    """A tool to call."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception to raise after a number of tokens of its turn."""

    after: int
    text: str


@dataclass(frozen=True, slots=True)
class Script:
    """What the model does in one turn: says words, and then may call a tool, unless it fails before."""

    words: Sequence[Words] = ()
    tool: ToolCue | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Cues:
    """The turns that a message has cues for, and the delay in seconds that holds after them."""

    turns: Sequence[Script]
    delay: float | None


def cues_in(message: str) -> Cues:
    """Return the cues of a message; a turn ends with a tool call. Raises BadCue."""
    turns: list[Script] = []
    words: list[Words] = []
    failure: Failure | None = None
    delay: float | None = None
    position = 0
    while cue := _CUE.search(message, position):
        position = cue.end()
        match cue["kind"]:
            case "tokens":
                words.append(Words(_Numbered(_number(int, cue), bool(words)), delay))
            case "say":
                words.append(Words(words_of(cue["rest"], after_others=bool(words)), delay))
            case "delay":
                delay = _number(float, cue)
            case "fail":
                failure = _failure(cue["rest"])
            case _:
                tool, position = _tool(cue, message)
                turns.append(Script(words, tool, failure))
                words, failure = [], None
    if words or failure:
        turns.append(Script(words, None, failure))
    return Cues(turns, delay)


def words_of(text: str, *, after_others: bool = False) -> list[str]:
    """Return a text as tokens, with the space before each but the first, which has one `after_others`."""
    words = re.findall(r"\s*\S+", text)
    return [" " + word if after_others and not index else word for index, word in enumerate(words)]


@dataclass(frozen=True, slots=True)
class _Numbered:
    """The tokens `t1 t2 …`; made while they are said, since a benchmark asks for many."""

    count: int
    after_others: bool

    def __iter__(self) -> Iterator[str]:
        for number in range(1, self.count + 1):
            yield f" t{number}" if self.after_others or number > 1 else "t1"


def _number(kind: Callable[[str], Number], cue: re.Match[str]) -> Number:
    try:
        return kind(cue["rest"])
    except ValueError:
        raise BadCue(f"{cue[0]} needs a number") from None


def _failure(rest: str) -> Failure:
    said = _FAIL.fullmatch(rest)
    assert said is not None  # noqa: S101 - every text matches
    return Failure(int(said["after"] or 0), said["text"] or "scripted failure")


def _tool(cue: re.Match[str], message: str) -> tuple[ToolCue, int]:
    """Return the tool of a cue and where the cue ends: JSON may hold brackets of its own."""
    start = cue.end()
    arguments: Any = {}
    try:
        if message[start : start + 1] == "{":
            arguments, start = json.JSONDecoder().raw_decode(message, start)
    except ValueError:
        raise BadCue(f"the arguments of {cue[0]} are no JSON") from None
    end = message.find("]", start)
    if end < 0 or message[start:end].strip():
        raise BadCue(f"{cue[0]} needs its arguments as a JSON object and a closing bracket")
    return ToolCue(cue["tool"], arguments), end + 1
