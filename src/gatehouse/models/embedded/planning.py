"""Which tools a message asks for, and with which arguments.

Written without input or output: `plan` yields what it wants to know from the model and is sent the answer,
so that one piece of code serves synchronous and asynchronous callers.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gatehouse.models.embedded.arguments import Arguments, fill
from gatehouse.models.embedded.clauses import requests_in
from gatehouse.models.embedded.meaning import Meaning, Vector, tool_prompts, wants
from gatehouse.models.embedded.relevance import Fit, ranked, wants_a_tool
from gatehouse.models.embedded.tool_schema import Parameter, Tool
from gatehouse.models.embedded.values import Values

LONGEST = 4_000  # characters of a message that are looked at; of a longer one its start and its end
MOST_REQUESTS = 4  # in one message: the last ones count


@dataclass(frozen=True, slots=True)
class Read:
    """Asks for the vectors of prompts, as a mapping by prompt."""

    prompts: Sequence[str]


@dataclass(frozen=True, slots=True)
class Choose:
    """Asks which of the possible arguments a request means, as one of `options`."""

    tool: Tool
    request: str
    options: Sequence[Arguments]


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call that a message asks for."""

    tool: str
    arguments: Arguments


@dataclass(frozen=True, slots=True)
class Lack:
    """A tool that a message asks for without giving what it needs."""

    tool: Tool
    missing: Sequence[Parameter]


Step = Call | Lack
Planning = Generator[Read | Choose, Any, list[Step]]


def plan(message: str, tools: Sequence[Tool], meaning: Meaning, *, must_call: bool = False) -> Planning:
    """Yield questions to the model and return the calls that a message asks for, in its order.

    What it asks for without saying enough is a Lack. With `must_call` every request wants a tool.
    """
    verbs = [tool.words.split()[0] for tool in tools]
    steps: list[Step] = []
    for request in requests_in(_shortened(message), verbs)[-MOST_REQUESTS:]:
        vectors = yield Read([wants(request), *(prompt for tool in tools for prompt in tool_prompts(tool))])
        best = _best(request, tools, meaning, vectors)
        if must_call or wants_a_tool(request, best, meaning, vectors[wants(request)]):
            step = yield from _step(request, _with_values_of(message, best, tools))
            if step not in steps:
                steps.append(step)
    return steps


def _best(request: str, tools: Sequence[Tool], meaning: Meaning, vectors: Mapping[str, Vector]) -> Fit:
    values = Values.of(request, _common(tools))
    return ranked(request, [(tool, fill(tool, values)) for tool in tools], meaning, vectors)[0]


def _with_values_of(message: str, fit: Fit, tools: Sequence[Tool]) -> Fit:
    """Return the fit with what another part of the message gives, if its own part says too little."""
    if fit.filling.options:
        return fit
    return Fit(fit.tool, fit.score, fill(fit.tool, Values.of(_shortened(message), _common(tools))))


def _step(request: str, fit: Fit) -> Generator[Choose, Arguments, Step]:
    options = fit.filling.options
    if not options:
        return Lack(fit.tool, fit.filling.missing)
    if len(options) == 1:
        return Call(fit.tool.name, options[0])
    return Call(fit.tool.name, (yield Choose(fit.tool, request, options)))


def _common(tools: Sequence[Tool]) -> frozenset[str]:
    return frozenset().union(*(tool.vocabulary for tool in tools))


def _shortened(message: str) -> str:
    if len(message) <= LONGEST:
        return message
    return f"{message[: LONGEST // 2]} {message[-LONGEST // 2 :]}"
