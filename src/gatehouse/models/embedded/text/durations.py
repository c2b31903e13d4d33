"""Durations in a message (`the last six months`, `2y`) and in the values of an enum (`1w`, `6m`)."""

import re
from dataclasses import dataclass

from gatehouse.models.embedded.text.numbers import digits_for_words

DAYS = {"day": 1, "week": 7, "month": 30, "quarter": 90, "year": 360}  # 12 months are a year here
LETTERS = {"d": "day", "w": "week", "wk": "week", "mo": "month", "m": "month", "y": "year", "yr": "year"}

TIME_UNITS = ("second", "minute", "hour", *DAYS)

_UNIT = "|".join(DAYS)
_LETTER = "|".join(sorted(LETTERS, key=len, reverse=True))
_SPAN = re.compile(
    rf"""\b(?:
        (?P<half>half(?:\s+an?\s+|[\s-]+))(?P<half_unit>{_UNIT})
      | (?P<count>\d+)\s*-?\s*(?:(?P<unit>{_UNIT})s?|(?P<letter>{_LETTER})s?)
      | (?:(?:over|in|for|of|during|since)\s+)?(?:the\s+)?(?:last|past|previous|this|a|one|whole|full)[\s-]+
        (?:full\s+)?(?P<bare>{_UNIT})
    )\b""",
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time in days (a month counts 30, a year 360) and where it stands in the message."""

    days: int
    start: int
    end: int


def durations_in(text: str) -> list[Duration]:
    """Return the durations of a message in order; numbers in words must be digits already."""
    return [_duration(match) for match in _SPAN.finditer(text)]


def days_of(value: str) -> int | None:
    """Return the length in days of an enum's value such as `6m` or `1 year`; None if it is no duration."""
    match = _SPAN.fullmatch(digits_for_words(value).strip())
    return _duration(match).days if match else None


def _duration(match: re.Match[str]) -> Duration:
    if match["half"]:
        days = DAYS[match["half_unit"].lower()] // 2
    elif match["count"]:
        unit = match["unit"] or LETTERS[match["letter"].lower()]
        days = int(match["count"]) * DAYS[unit.lower()]
    else:
        days = DAYS[match["bare"].lower()]
    return Duration(days, match.start(), match.end())
