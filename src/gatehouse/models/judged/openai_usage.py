"""What a server that speaks OpenAI's API says that an answer used, in numbers that LangChain can read.

LangChain takes the report as it is, and gives the answer up for a count that is no whole number.
"""

import math
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]
# by OpenAI's names, then by those that proxies hand on from others
COUNTS = {
    "prompt_tokens": ("prompt_tokens", "input_tokens"),
    "completion_tokens": ("completion_tokens", "output_tokens"),
    "total_tokens": ("total_tokens",),
}
MOST_DIGITS = 19
DETAILS = ("prompt_tokens_details", "completion_tokens_details")


def usage_in(body: Json) -> Json | None:
    """Return the usage that a chunk of a stream or a whole answer tells, wherever; None without any."""
    told = body.get("usage") or in_choices(body) or in_groqs(body)
    return read_usage(told) if told and isinstance(told, Mapping) else None


def in_choices(body: Json) -> Any:
    """Return the usage that Moonshot tells in the choice."""
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first.get("usage") if isinstance(first, Mapping) else None


def in_groqs(body: Json) -> Any:
    """Return the usage that Groq tells beside the choices."""
    beside = body.get("x_groq")
    return beside.get("usage") if isinstance(beside, Mapping) else None


def read_usage(report: Mapping[str, Any]) -> Json | None:
    """Return a report in whole numbers; None when it counts nothing."""
    counts = {name: first_count(report, names) for name, names in COUNTS.items()}
    if not any(counts.values()):
        return None
    if counts["total_tokens"] is None:
        counts["total_tokens"] = (counts["prompt_tokens"] or 0) + (counts["completion_tokens"] or 0)
    details = {name: read_details(report[name]) for name in DETAILS if isinstance(report.get(name), Mapping)}
    return {**{name: count or 0 for name, count in counts.items()}, **details}


def first_count(report: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    return next((count for name in names if (count := count_of(report.get(name))) is not None), None)


def read_details(told: Mapping[str, Any]) -> Json:
    return {name: count for name, value in told.items() if (count := count_of(value)) is not None}


def count_of(value: Any) -> int | None:
    """Return a number of tokens as an integer; None for what is no number."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) <= MOST_DIGITS else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if math.isfinite(value) else None
