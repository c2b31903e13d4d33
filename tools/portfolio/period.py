"""How far back a question about prices reaches."""

from calendar import monthrange
from datetime import date, timedelta
from typing import Literal

Period = Literal["1w", "1m", "3m", "6m", "1y", "2y"]


def first_day(period: Period, last: date) -> date:
    """Return the day on which a period that ends on `last` begins, by the calendar.

    A day that its month does not have becomes the month's last: one month before 31 March is 28 February.
    """
    count, unit = int(period[:-1]), period[-1]
    if unit == "w":
        return last - timedelta(weeks=count)
    months = count * 12 if unit == "y" else count
    year, month = divmod(last.year * 12 + last.month - 1 - months, 12)
    return date(year, month + 1, min(last.day, monthrange(year, month + 1)[1]))
