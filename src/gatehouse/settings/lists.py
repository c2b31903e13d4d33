"""Settings that are lists, as the environment writes them."""

from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_settings import NoDecode


def split(value: Any) -> Any:
    """Return the parts of a text that commas separate; anything else as it is."""
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())


def paired(value: Any) -> Any:
    """Return `a, b=c` as a mapping: `a` to itself, `b` to `c`; anything but a text as it is."""
    if not isinstance(value, str):
        return value
    pairs = (part.strip().partition("=") for part in value.split(",") if part.strip())
    return {name.strip(): (other or name).strip() for name, _, other in pairs}


Texts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split)]
Names = Annotated[dict[str, str], NoDecode, BeforeValidator(paired)]
