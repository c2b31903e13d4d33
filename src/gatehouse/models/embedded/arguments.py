"""The arguments that a message gives for a tool, and those that it leaves out.

No value is invented: every one is read from the message. Where values can be shared out among the
parameters in more than one way, all ways are returned and the model chooses one.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from types import MappingProxyType
from typing import Any

from gatehouse.models.embedded.sharing_out import ways_to_share_out
from gatehouse.models.embedded.text.change import end_of_name
from gatehouse.models.embedded.text.durations import days_of
from gatehouse.models.embedded.text.numbers import COUNTED
from gatehouse.models.embedded.tool_schema import Kind, Parameter, Tool, words_of
from gatehouse.models.embedded.values import Quantity, Values

MOST_OPTIONS = 24  # ways to share out values that the model is asked to choose from
CUE_WORDS = 3  # before a number: in `a final value of 500` the third names the parameter

Arguments = dict[str, Any]

_ARITHMETIC_PARTS = re.compile(r"[\w.]+|\*\*|//|[-+*/%]")


@dataclass(frozen=True, slots=True)
class Filling:
    """The possible arguments of a call, the likeliest first; or the parameters that are missing.

    `found` counts the values of the message that the arguments hold.
    """

    options: tuple[Arguments, ...] = ()
    missing: tuple[Parameter, ...] = ()
    found: int = 0


def fill(tool: Tool, values: Values) -> Filling:
    """Return what a message gives for `tool`."""
    ways: list[list[Arguments]] = []
    missing: list[Parameter] = []
    for kind, find in _FINDERS.items():
        parameters = [p for p in tool.parameters if p.kind == kind]
        options, lacking = find([p for p in parameters if p.required or _is_named(p, values)], values)
        if not options and not any(p.required for p in lacking) and kind != "enum":
            options, lacking = find([p for p in parameters if p.required], values)
        ways.append(options)
        missing += lacking
    found = sum(_found(kind, options[0]) for kind, options in zip(_FINDERS, ways, strict=True) if options)
    if missing:
        return Filling(missing=tuple(missing), found=found)
    merged = ({name: value for part in parts for name, value in part.items()} for parts in product(*ways))
    return Filling(tuple(islice(merged, MOST_OPTIONS)), found=found)


Found = tuple[list[Arguments], list[Parameter]]


def _numbers(parameters: Sequence[Parameter], values: Values) -> Found:
    """Share out the numbers; one that follows a parameter's name is that parameter's."""
    cued: dict[str, Quantity] = {}
    for quantity in values.quantities:
        named = next((p for p in parameters if p.name not in cued and _is_cued(p, quantity)), None)
        if named:
            cued[named.name] = quantity
    candidates = [
        [cued[p.name]]
        if p.name in cued
        else [q for q in _quantities_for(p, values, len(parameters)) if q not in cued.values()]
        for p in parameters
    ]
    ways = ways_to_share_out(candidates, parameters, lambda quantity: quantity.end)
    options = [{p.name: q.value for p, q in zip(parameters, chosen, strict=True)} for chosen in ways]
    return options, [] if options else [p for p in parameters if p.name not in cued]


def _quantities_for(parameter: Parameter, values: Values, wanted: int) -> list[Quantity]:
    in_unit = [q for q in values.quantities if q.unit in parameter.units]
    plain = [q for q in values.quantities if q.unit is None or q.unit in COUNTED]
    likely = [q for q in plain if q.unit is None and not q.may_be_year]
    return in_unit or (likely if len(likely) >= wanted else plain)


def _names(parameters: Sequence[Parameter], values: Values) -> Found:
    names = values.names if len(values.names) >= len(parameters) else values.lower_case_names
    candidates = [names] * len(parameters)
    ways = ways_to_share_out(candidates, parameters, lambda name: end_of_name(name, values.text))
    options = [{p.name: name for p, name in zip(parameters, chosen, strict=True)} for chosen in ways]
    return options, [] if options else list(parameters)


def _each(choices_of: Callable[[Parameter, Values], list[Any]]) -> Callable[..., Found]:
    """Return a finder for parameters that do not compete for the message's values."""

    def find(parameters: Sequence[Parameter], values: Values) -> Found:
        choices = {p.name: choices_of(p, values) for p in parameters}
        options = [dict(zip(choices, chosen, strict=True)) for chosen in product(*choices.values())]
        return options, [p for p in parameters if not choices[p.name]]

    return find


def _texts(_parameter: Parameter, values: Values) -> list[Any]:
    return [values.text]


def _arithmetic(_parameter: Parameter, values: Values) -> list[Any]:
    return list(values.arithmetic[:1])


def _booleans(_parameter: Parameter, _values: Values) -> list[Any]:
    return [True, False]


def _matches(parameter: Parameter, values: Values) -> list[Any]:
    pattern = re.compile(parameter.pattern)
    return [word for word in values.words if pattern.fullmatch(word)]


def _lists(parameter: Parameter, values: Values) -> list[Any]:
    least, most = parameter.item_bounds
    if (parameter.schema.get("items") or {}).get("type") in {"number", "integer"}:
        items: list[Any] = [quantity.value for quantity in values.quantities]
    else:
        items = list(values.names if len(values.names) >= least else values.lower_case_names)
    return [items] if least <= len(items) <= most else []


def _enum_values(parameter: Parameter, values: Values) -> list[Any]:
    """Return the values that are named as they are, or the one that is as long as a duration named."""
    if lengths := _lengths(parameter):
        return [lengths[d.days] for d in values.durations if d.days in lengths][:1]
    return [value for value in parameter.values if _says(values.text, str(value))]


def _nothing(_parameter: Parameter, _values: Values) -> list[Any]:
    return []


_FINDERS: Mapping[Kind, Callable[[Sequence[Parameter], Values], Found]] = MappingProxyType(
    {
        "number": _numbers,
        "name": _names,
        "list": _each(_lists),
        "enum": _each(_enum_values),
        "arithmetic": _each(_arithmetic),
        "pattern": _each(_matches),
        "text": _each(_texts),
        "boolean": _each(_booleans),
        "other": _each(_nothing),
    }
)


def _is_named(parameter: Parameter, values: Values) -> bool:
    """Tell whether the message speaks of an optional parameter."""
    if parameter.kind == "enum":
        return bool(values.durations and _lengths(parameter)) or bool(_enum_values(parameter, values))
    return any(_says(values.text, word) for word in words_of(parameter.name))


def _is_cued(parameter: Parameter, quantity: Quantity) -> bool:
    near = re.split(r"\d", quantity.before)[-1].split()[-CUE_WORDS:]
    names = (word for word in words_of(parameter.name) if word.rstrip("s") not in parameter.units)
    return any(word in near for word in names)  # in `10 shares for 120` they are the number before


def _lengths(parameter: Parameter) -> dict[int, Any]:
    """Return the values of an enum by their length in days; empty if they are no durations."""
    lengths = {days_of(str(value)): value for value in parameter.values}
    return {days: value for days, value in lengths.items() if days is not None}


def _says(text: str, words: str) -> bool:
    return re.search(rf"\b{re.escape(words.replace('_', ' '))}s?\b", text, re.IGNORECASE) is not None


def _found(kind: Kind, arguments: Arguments) -> int:
    """Return how many values of a message the arguments of a kind hold."""
    match kind:
        case "text" | "boolean":
            return 0  # taken whole, or not read from the message
        case "arithmetic":  # each number and each sign
            return sum(len(_ARITHMETIC_PARTS.findall(expression)) for expression in arguments.values())
        case _:
            return sum(len(value) if isinstance(value, list) else 1 for value in arguments.values())
