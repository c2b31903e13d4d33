"""The values that a message holds, of every kind that an argument can be."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

from gatehouse.models.embedded.text.arithmetic import arithmetic_in
from gatehouse.models.embedded.text.change import End, ends_of
from gatehouse.models.embedded.text.durations import TIME_UNITS, Duration, durations_in
from gatehouse.models.embedded.text.names import lower_case_names_in, names_in
from gatehouse.models.embedded.text.numbers import COUNTED, Number, digits_for_words, numbers_in

NEAR = 80  # characters before a number that may tell what it is

_UNIT = re.compile(rf"\s*-?\s*(?:(%|percent\b)|({'|'.join((*TIME_UNITS, *COUNTED))})s?\b)", re.IGNORECASE)
_YEAR = range(1900, 2101)
_BEFORE_YEAR = re.compile(r"\b(?:in|since|from|until|of|by|during|year)\s+$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number of a message, the unit behind it (of time, `%`, what is counted), the words before it.

    `end` tells whether it is what something was at first or what it became, None where nothing tells.
    """

    value: int | float
    unit: str | None
    may_be_year: bool
    before: str
    end: End | None


@dataclass(frozen=True, slots=True)
class Values:
    """What a message holds, by kind, each in the order in which it stands there."""

    text: str
    words: tuple[str, ...]
    quantities: tuple[Quantity, ...]
    durations: tuple[Duration, ...]
    arithmetic: tuple[str, ...]
    names: tuple[str, ...]
    lower_case_names: tuple[str, ...]

    @classmethod
    def of(cls, message: str, common: Collection[str]) -> Self:
        """Return the values of a message; `common` holds words that are no names in it."""
        text = digits_for_words(message)
        durations = tuple(durations_in(text))
        numbers = numbers_in(text)
        ends = ends_of(numbers, text)
        return cls(
            text=message,
            words=tuple(message.split()),
            quantities=tuple(_quantity(number, text, end) for number, end in zip(numbers, ends, strict=True)),
            durations=durations,
            arithmetic=tuple(arithmetic_in(message)),
            names=tuple(names_in(_blanked(text, durations), common)),
            lower_case_names=tuple(lower_case_names_in(_blanked(text, durations), common)),
        )


def _quantity(number: Number, text: str, end: End | None) -> Quantity:
    behind = _UNIT.match(text, number.end)
    unit = None if behind is None else "%" if behind[1] else behind[2].lower()
    before = text[max(0, number.start - NEAR) : number.start]
    may_be_year = number.value in _YEAR and _BEFORE_YEAR.search(before) is not None
    return Quantity(number.value, unit, may_be_year, before.lower(), end)


def _blanked(text: str, durations: Collection[Duration]) -> str:
    for span in durations:
        text = text[: span.start] + " " * (span.end - span.start) + text[span.end :]
    return text
