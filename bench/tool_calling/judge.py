"""Whether what the model did was right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.tools import BaseTool
from pydantic import TypeAdapter, ValidationError

from bench.tool_calling.sets import Prompt
from tools.calculator import evaluate

LONGEST_QUESTION = 500  # characters


@dataclass(frozen=True, slots=True)
class Done:
    """What the model did with a prompt: its calls in order, its answer, and the seconds to its first sign."""

    calls: Sequence[tuple[str, Mapping[str, Any]]]
    answer: str
    seconds: float
    tokens: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """`choice`: the right tool, or rightly none. `arguments`: valid, and what the prompt says, in every call.

    Without a call, `arguments` is None.
    """

    choice: bool
    arguments: bool | None


def judged(prompt: Prompt, done: Done, tools: Sequence[BaseTool]) -> Verdict:
    """Return the verdict on what was done with a prompt."""
    schemas = {tool.name: tool for tool in tools}
    arguments = [
        _are_valid(schemas[name], given) and _are_meant(prompt, name, given) for name, given in done.calls
    ]
    return Verdict(_is_right_choice(prompt, done), all(arguments) if arguments else None)


def _is_right_choice(prompt: Prompt, done: Done) -> bool:
    called = [name for name, _ in done.calls]
    if prompt.calls:  # of two tools the first must be one of them, and no other may follow
        return bool(called) and set(called) <= set(prompt.calls) and len(called) == len(set(called))
    asked = done.answer.rstrip().endswith("?") and len(done.answer) <= LONGEST_QUESTION
    return not called and (asked or not prompt.asks)


def _are_valid(tool: BaseTool, given: Mapping[str, Any]) -> bool:
    try:
        TypeAdapter(tool.get_input_schema()).validate_python(given)
    except ValidationError:
        return False
    return True


def _are_meant(prompt: Prompt, name: str, given: Mapping[str, Any]) -> bool:
    """Tell whether the arguments are what the prompt says; of a wrong tool, that none is invented."""
    if name not in prompt.calls:
        return all(_occurs(value, prompt.prompt) for value in given.values())
    meant = prompt.calls[name]
    defaults = {"period": "1y"}
    names = given.keys() | meant.keys()
    return all(_same(given.get(n, defaults.get(n)), meant.get(n, defaults.get(n))) for n in names)


def _same(given: Any, meant: Any) -> bool:
    if isinstance(meant, list):
        return sorted(map(str.lower, given)) == sorted(map(str.lower, meant))
    if isinstance(meant, str) and any(sign in meant for sign in "+-*/("):
        return abs(evaluate(given) - evaluate(meant)) < 1e-9
    return bool(given == meant)


def _occurs(value: Any, text: str) -> bool:
    if isinstance(value, list):
        return all(_occurs(item, text) for item in value)
    return str(value).lower() in text.lower().replace(",", "")
