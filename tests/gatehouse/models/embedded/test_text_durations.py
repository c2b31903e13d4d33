"""Durations in a message and in the values of an enum."""

import pytest

from gatehouse.models.embedded.text.durations import days_of, durations_in


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("the last 6 months", 180),
        ("over the last half year", 180),
        ("half a year", 180),
        ("a half-year", 180),
        ("2y", 720),
        ("this week", 7),
    ],
)
def test_a_message(text: str, days: int) -> None:
    assert [found.days for found in durations_in(text)] == [days]


@pytest.mark.parametrize(("value", "days"), [("1w", 7), ("6m", 180), ("one year", 360), ("red", None)])
def test_a_value(value: str, days: int | None) -> None:
    assert days_of(value) == days
