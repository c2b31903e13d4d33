"""What is wrong with an input, told in bounds: an answer never outgrows the request by more than a page."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from gatehouse.problems.errors import InvalidInput

MOST_TOLD = 20
MOST_GATHERED = 1000  # faults; to gather more of them takes pydantic a second and more
MOST_KEYS = 100  # of an object, where unknown keys are faults
LONGEST_PART = 100  # characters: a client's own key may be part of where a fault is


class StrictModel(BaseModel):
    """An object of ours, in which an unknown key is a fault. One with very many keys is one fault."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _few_keys(cls, value: Any) -> Any:
        if isinstance(value, dict) and len(value) > MOST_KEYS:
            raise PydanticCustomError("too_many_keys", "Object should have at most 100 keys")
        return value


def invalid_input(error: ValidationError, *location: str, detail: str | None = None) -> InvalidInput:
    """Return the problem that tells of the first faults: where and what, without the values.

    `location` is where the validated value stands in the request.
    """
    count = error.error_count()
    if count > MOST_GATHERED:
        return InvalidInput(f"The request has {count} faulty fields.")
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    return InvalidInput(detail, errors=told(faults, *location))


def told(faults: Iterable[Mapping[str, Any]], *location: str) -> list[dict[str, Any]]:
    """Return the first twenty faults as they are told."""
    return [
        {"loc": [*location, *map(bounded_part, fault["loc"])], "msg": fault["msg"], "type": fault["type"]}
        for _, fault in zip(range(MOST_TOLD), faults, strict=False)
    ]


def bounded_part(part: str | int) -> str | int:
    return part[:LONGEST_PART] if isinstance(part, str) else part
