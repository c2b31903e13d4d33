"""The arguments that a message gives for a tool, and those that it leaves out. No value is invented."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gatehouse.models.embedded.text.arithmetic import arithmetic_in
from gatehouse.models.embedded.text.durations import durations_in
from gatehouse.models.embedded.text.names import names_in
from gatehouse.models.embedded.text.numbers import Span, digits_for_words, numbers_in
from gatehouse.models.embedded.tool_schema import Parameter, Tool

MOST_VALUES = 12  # of a list

# what something was at first: in the name of a parameter, or at most a word before a value
_AT_FIRST = re.compile(
    r"\b(?:from|invest\w*|put|paid|pay|spen[dt]|b(?:uy\w*|ought)|purchase\w*|costs?|start\w*|began|initial\w*"
    r"|original\w*|principal|deposit\w*|old|source|origin|departure)\s+(?:\w+\s+)?$|\b\d+\s+$",
    re.IGNORECASE,
)
_COUNTED = re.compile(r"[\s-]*(?:%|(?:percent|share|stock|bond|unit|piece|item|day|week|month|year)s?\b)")


@dataclass(frozen=True, slots=True)
class Call:
    """A tool's call as a message asks for it: what it does not say, and how many values it does."""

    tool: Tool
    arguments: dict[str, Any]
    missing: tuple[Parameter, ...] = ()
    found: int = 0


def call_of(tool: Tool, message: str, common: frozenset[str]) -> Call:
    """Return the call with what a message gives for it; `common` holds words that are no names in it."""
    text = digits_for_words(message)
    wanted = [p for p in tool.parameters if p.required or p.kind == "enum" or _says(text, *p.words)]
    numbers = [p for p in wanted if p.kind == "number"]
    names = [p for p in wanted if p.kind == "name"]
    found = numbers_in(text)
    plain = [number for number in found if not _COUNTED.match(text, number.end)]  # 10 shares are no price
    given = _in_order(numbers, plain if len(plain) >= len(numbers) else found, text)
    given |= _in_order(names, names_in(text, common), text)
    given |= {p.name: value for p in wanted if (value := _value(p, text, common)) is not None}
    whole = {p.name: message for p in wanted if p.kind == "text"}
    missing = tuple(p for p in tool.parameters if p.required and p.name not in given | whole)
    values = re.findall(r"[\w.]+", " ".join(map(str, given.values())))  # of arithmetic, each number counts
    return Call(tool, given | whole, missing, len(values))


def _in_order(parameters: Sequence[Parameter], values: Sequence[Span], text: str) -> dict[str, Any]:
    """Give out values in the message's order; one that was there at first, to the parameter for that."""
    if len(values) < len(parameters):
        return {}
    late = {p.name: not _AT_FIRST.search(f"{' '.join(p.words)} ") for p in parameters}
    if not all(late.values()):
        parameters = sorted(parameters, key=lambda p: late[p.name])
        values = sorted(values, key=lambda value: not _AT_FIRST.search(text[: value.start]))
    return {p.name: value.value for p, value in zip(parameters, values, strict=False)}


def _value(parameter: Parameter, text: str, common: frozenset[str]) -> Any:
    """Return the value of a parameter that competes with no other for what the message holds, or None."""
    if parameter.kind == "arithmetic":
        return next(iter(arithmetic_in(text)), None)
    if parameter.kind == "enum":  # as long as a duration of the message, or named by it
        lengths = {days: value for value in parameter.schema["enum"] for days in durations_in(str(value))}
        spans = [lengths[days] for days in durations_in(text) if days in lengths]
        named = [value for value in parameter.schema["enum"] if _says(text, str(value).replace("_", " "))]
        return next(iter(spans + named), None)
    if parameter.kind == "array":
        numeric = (parameter.schema.get("items") or {}).get("type") in {"number", "integer"}
        found = numbers_in(text) if numeric else names_in(text, common)
        enough = parameter.least_items <= len(found) <= parameter.schema.get("maxItems", MOST_VALUES)
        return [span.value for span in found] if enough else None
    return None


def _says(text: str, *words: str) -> bool:
    return any(re.search(rf"\b{re.escape(word)}s?\b", text, re.IGNORECASE) for word in words)
