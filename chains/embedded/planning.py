"""Which tools a message asks for, and with which arguments.

Written without input or output: `plan` yields what it wants to know from the model and is sent the answer,
so that one piece of code serves synchronous and asynchronous callers.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

from chains.embedded.arguments import Arguments, fill
from chains.embedded.clauses import requests_in
from chains.embedded.meaning import BACKGROUND, BACKGROUND_TOOLS, Meaning, Vector, tool_prompts, wants
from chains.embedded.relevance import Fit, ranked, wants_a_tool
from chains.embedded.tool_schema import Parameter, Tool
from chains.embedded.values import Values


@dataclass(frozen=True, slots=True)
class Read:
    """Asks for the vectors of prompts, by prompt."""

    prompts: Sequence[str]


@dataclass(frozen=True, slots=True)
class Choose:
    """Asks for the index of the arguments that a request means."""

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
    """A tool that a message asks for without giving the values of `missing`."""

    tool: Tool
    missing: Sequence[Parameter]

    @property
    def question(self) -> str:
        """The question back to the user."""
        names = [_in_words(parameter) for parameter in self.missing]
        listed = ", ".join(names[:-1]) + " and " * (len(names) > 1) + names[-1]
        return f"To {self.tool.words} I need {listed}. Which should I use?"


Step = Call | Lack
Planning = Generator[Read | Choose, object, list[Step]]


def plan(message: str, tools: Sequence[Tool], *, must_call: bool = False) -> Planning:
    """Yield questions to the model and return the calls and questions back that a message needs, in order.

    A `Read` is answered with a mapping of vectors by prompt, a `Choose` with an index into its options.
    With `must_call` every request is taken to want a tool.
    """
    ...
