"""Settings that are lists, as the environment writes them."""

import json
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_settings import NoDecode


def split(value: Any) -> Any:
    """Return the parts of a text that commas separate, or of a list of JSON; anything else as it is.

    Raises ValueError for a list of JSON that is none.
    """
    if not isinstance(value, str):
        return value
    if value.startswith("["):
        return tuple(parsed(value))
    return tuple(part.strip() for part in value.split(",") if part.strip())


def paired(value: Any) -> Any:
    """Return `a, b=c` as a mapping: `a` to itself, `b` to `c`; an object of JSON too.

    Raises ValueError for an object of JSON that is none.
    """
    if not isinstance(value, str):
        return value
    if value.startswith("{"):
        return parsed(value)
    pairs = (part.strip().partition("=") for part in value.split(",") if part.strip())
    return {name.strip(): (other or name).strip() for name, _, other in pairs}


def parsed(value: Any) -> Any:
    """Return what a text of JSON says; anything else as it is. Raises ValueError for what is no JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value, object_pairs_hook=without_doubles)
    except ValueError as error:
        raise ValueError(f"not valid JSON: {error}") from None


def without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON. Raises ValueError for a name that it has twice: one would be lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} is there twice")
    return found


Texts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split)]
Names = Annotated[dict[str, str], NoDecode, BeforeValidator(paired)]
