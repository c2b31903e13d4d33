"""Durations in a message (`the last six months`, `2y`) and in the values of an enum (`1w`, `6m`)."""

import re

from gatehouse.models.embedded.text.numbers import digits_for_words

_DAYS = {"day": 1, "week": 7, "month": 30, "quarter": 90, "year": 360}  # 12 months are a year here
_LETTERS = {"d": 1, "w": 7, "wk": 7, "m": 30, "mo": 30, "y": 360, "yr": 360}
_UNIT = "|".join(_DAYS)
_SPAN = re.compile(
    rf"""\b(?:half(?:\s+an?)?[\s-]+(?P<half>{_UNIT})
      | (?P<count>\d+)[\s-]*(?:(?P<unit>{_UNIT})s?|(?P<letter>wk|mo|yr|[dwmy])s?)
      | (?:last|past|previous|this|a|one|whole|full)[\s-]+(?P<bare>{_UNIT}))\b""",
    re.VERBOSE | re.IGNORECASE,
)


def durations_in(text: str) -> list[int]:
    """Return the durations of a message in days, in order."""
    return [_days(match) for match in _SPAN.finditer(digits_for_words(text))]


def _days(match: re.Match[str]) -> int:
    if match["half"]:
        return _DAYS[match["half"].lower()] // 2
    unit = match["bare"] or match["unit"] or match["letter"]
    return int(match["count"] or 1) * (_DAYS | _LETTERS)[unit.lower()]
