"""Tool results in plain words, for people and for a model whose template knows no tools.

The embedded model does not retell figures: given a return of 24 % as facts, it stated another figure in
half of the cases. So the answer quotes what the tools returned.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from langchain_core.messages import ToolMessage

MOST_ITEMS = 12  # of a list: a series of prices is for a chart, not for reading
LONGEST = 2_000  # characters of a result that is no JSON


def quoted(results: Sequence[ToolMessage]) -> str:
    """Return what the tools found: a heading for each, and its figures as they are."""
    return "\n\n".join(_section(result) for result in results)


def _section(result: ToolMessage) -> str:
    name = (result.name or "tool").replace("_", " ")
    if result.status == "error":
        return f"{name} failed: {result.text[:LONGEST]}"
    try:
        found = json.loads(result.text)
    except ValueError:
        found = result.text[:LONGEST]
    return "\n".join([f"{name}:", *_lines(found)]) if isinstance(found, dict | list) else f"{name}: {found}"


def _lines(found: Any, indent: str = "") -> Iterator[str]:
    items = found.items() if isinstance(found, dict) else enumerate(found, 1)
    for key, value in items:
        label = str(key).replace("_", " ")
        if isinstance(value, list) and len(value) > MOST_ITEMS:
            yield f"{indent}- {label}: {len(value)} values"
        elif _is_nested(value):
            yield f"{indent}- {label}:"
            yield from _lines(value, f"{indent}  ")
        elif isinstance(found, list):
            yield f"{indent}- {_in_line(value)}"
        else:
            yield f"{indent}- {label}: {_in_line(value)}"


def _is_nested(value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(isinstance(item, dict | list) for item in inner)


def _in_line(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{str(key).replace('_', ' ')} {_in_line(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(_in_line, value))
    return "unknown" if value is None else str(value)
