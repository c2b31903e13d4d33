"""What the embedded model answers next: a tool call, what the tools found, or words of its own.

Written without input or output, as `planning` is.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

from gatehouse.models.embedded.meaning import Meaning
from gatehouse.models.embedded.planning import Call, Choose, Lack, Read, Step, plan
from gatehouse.models.embedded.quoting import quoted
from gatehouse.models.embedded.tool_schema import Tool
from gatehouse.models.embedded.turn import Turn, question_back


@dataclass(frozen=True, slots=True)
class Compose:
    """Asks the model to write a tool's arguments by its schema: the caller insists on a call."""

    tool: Tool


@dataclass(frozen=True, slots=True)
class Say:
    """A text to answer with."""

    text: str


@dataclass(frozen=True, slots=True)
class Talk:
    """The model is to answer in its own words."""


Question = Read | Choose | Compose
Response = Call | Say | Talk


def respond(
    turn: Turn, tools: Sequence[Tool], meaning: Meaning, *, must_call: bool = False
) -> Generator[Question, Any, Response]:
    """Yield questions to the model and return what to answer next.

    The calls that a message asks for are made one after the other, each once; then the answer quotes what
    was found. A Compose is answered with the arguments.
    """
    steps = yield from _steps(turn, tools, meaning, must_call)
    calls = [step for step in steps if isinstance(step, Call) and step not in turn.made]
    lacks = [step for step in steps if isinstance(step, Lack)]
    if calls:
        return calls[0]
    if must_call:
        tool = lacks[0].tool if lacks else _not_yet_called(tools, turn)
        return Call(tool.name, (yield Compose(tool)))
    parts = [quoted(turn.results)] * bool(turn.results) + [question_back(lacks)] * bool(lacks)
    return Say("\n\n".join(parts)) if parts else Talk()


def _steps(
    turn: Turn, tools: Sequence[Tool], meaning: Meaning, must_call: bool
) -> Generator[Read | Choose, Any, list[Step]]:
    """Plan the last message; together with the one before it where it answers a question back."""
    steps = yield from plan(turn.said, tools, meaning, must_call=must_call)
    if turn.said_before is None or any(isinstance(step, Call) for step in steps):
        return steps
    together = yield from plan(f"{turn.said_before} {turn.said}", tools, meaning, must_call=must_call)
    return together or steps


def _not_yet_called(tools: Sequence[Tool], turn: Turn) -> Tool:
    made = {call.tool for call in turn.made}
    return next((tool for tool in reversed(tools) if tool.name not in made), tools[-1])
