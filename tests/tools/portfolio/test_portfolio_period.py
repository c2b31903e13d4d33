from datetime import date

import pytest

from tools.portfolio.period import Period, first_day


@pytest.mark.parametrize(
    ("period", "last", "first"),
    [
        ("1w", date(2026, 10, 30), date(2026, 10, 23)),
        ("1w", date(2026, 1, 3), date(2025, 12, 27)),
        ("1m", date(2026, 10, 30), date(2026, 9, 30)),
        ("1m", date(2026, 3, 31), date(2026, 2, 28)),
        ("1m", date(2026, 1, 15), date(2025, 12, 15)),
        ("3m", date(2026, 2, 28), date(2025, 11, 28)),
        ("6m", date(2024, 8, 31), date(2024, 2, 29)),
        ("1y", date(2024, 2, 29), date(2023, 2, 28)),
        ("2y", date(2026, 12, 31), date(2024, 12, 31)),
    ],
)
def test_a_period_begins_by_the_calendar(period: Period, last: date, first: date) -> None:
    assert first_day(period, last) == first
