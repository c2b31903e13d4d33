"""How much of a process's memory a chunk may take, and about how much JSON it makes."""

from collections.abc import Iterable, Mapping
from typing import Any

from langchain_core.tracers import RunLogPatch
from pydantic import BaseModel

LEAST = 64  # bytes, of whatever it is
DEEPEST = 12


def weight(value: Any, depth: int = 0) -> int:
    """Return about how many bytes a chunk has: the text that is in it, and something for each part."""
    if isinstance(value, str | bytes):
        return LEAST + len(value)
    if depth > DEEPEST:
        return LEAST
    return LEAST + sum(weight(part, depth + 1) for part in parts_of(value))


def parts_of(value: Any) -> Iterable[Any]:
    """Return what a value is made of, as far as its JSON shows it."""
    if isinstance(value, Mapping):
        return value.values()
    if isinstance(value, list | tuple | set | frozenset):
        return value
    if isinstance(value, BaseModel):
        # not by their truth: arrays and tables raise when they are asked for it
        return [part for part in value.__dict__.values() if part is not None]
    return value.ops if isinstance(value, RunLogPatch) else ()
