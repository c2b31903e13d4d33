"""Tool results as English sentences, for people and for a model whose template knows no tools.

The embedded model does not retell figures: given a return of 24 % as facts, it stated another figure in
half of the cases. So the sentences are made here, of the names of the fields.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_core.messages import ToolMessage

from gatehouse.models.embedded.tool_schema import words_of

MOST_ITEMS = 12  # of a list: a longer one is a series for a chart, not for reading
LONGEST = 2_000  # characters of a result that is no JSON
NAMING = ("name", "title", "symbol", "id")  # fields that say what a thing is called, the best first


def told(result: ToolMessage) -> str:
    """Return what a tool found: figures first, then what has fields of its own, then the rest."""
    if result.status == "error":
        return f"The tool {_label(result.name or '')} could not do that: {result.text[:LONGEST]}"
    try:
        found = json.loads(result.text)
    except ValueError:
        return result.text[:LONGEST]
    fields = found if isinstance(found, dict) else {"result": found} if found != [] else {}
    return " ".join(_sentences(fields)) or "Nothing was found."


def _sentences(fields: Mapping[str, Any]) -> Iterator[str]:
    things = {key: value for key, value in fields.items() if _has_fields(value)}
    plain = {key: value for key, value in fields.items() if key not in things}
    figures = {key: value for key, value in plain.items() if type(value) in {int, float}}
    first = figures if figures or things else plain
    if said := _facts(first, verbs=True):
        yield f"T{listed(said)[1:]}."
    for key, value in things.items():
        items = value if isinstance(value, list) else [value]
        yield f"The {_label(key)} {'is' if items == [value] else 'are'} {'; '.join(map(_thing, items))}."
    if said := _facts({key: value for key, value in plain.items() if key not in first}):
        yield f"This is for {listed(said)}."


def _thing(fields: Mapping[str, Any]) -> str:
    """Return an item in a few words: `Apple (AAPL): price 200, weight 12.5%`."""
    name, *others = [str(fields[key]) for key in NAMING if fields.get(key)] or [""]
    rest = {key: value for key, value in fields.items() if key not in NAMING and not isinstance(value, list)}
    return ": ".join(filter(None, (f"{name} ({others[0]})" if others else name, ", ".join(_facts(rest)))))


def _facts(fields: Mapping[str, Any], *, verbs: bool = False) -> list[str]:
    """Return `the price is 200`, or `price 200`; a start with its end in one."""
    facts: list[str] = []
    for key, value in fields.items():
        end = fields.get(f"end{key[5:]}") if key.startswith("start") else None
        is_end = key.startswith("end") and f"start{key[3:]}" in fields
        if value is None or is_end or (isinstance(value, list) and len(value) > MOST_ITEMS):
            continue
        label, text = _label(key).removesuffix(" percent"), in_words(value) + "%" * ("percent" in key)
        if end is not None:
            text = f"from {text} to {in_words(end)}"
            label = "" if isinstance(value, str) else label.removeprefix("start").strip()
        if facts and key.endswith("_percent") and key.removesuffix("_percent") in fields:
            facts[-1] += f" ({text})"
        else:
            said = f"the {label} {'is' if end is None else 'went'} {text}" if verbs else f"{label} {text}"
            facts.append(said.strip())
    return facts


def listed(parts: Sequence[str]) -> str:
    """Return `a, b and c`."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def in_words(value: Any) -> str:
    """Return a value as a person writes it: `1,234.5`, `yes`."""
    if isinstance(value, list):
        return listed([in_words(item) for item in value]) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.2f}".rstrip("0").rstrip(".") if abs(value) >= 0.01 else f"{value:g}"  # noqa: PLR2004
    return f"{value:,}" if isinstance(value, int) else str(value)


def _has_fields(value: Any) -> bool:
    items = value if isinstance(value, list) else [value]
    return 0 < len(items) <= MOST_ITEMS and all(isinstance(item, dict) for item in items)


def _label(key: str) -> str:
    return " ".join(words_of(key))
