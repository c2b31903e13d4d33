"""How much a value changed."""

from decimal import Decimal


def percent_change(start: Decimal, end: Decimal) -> Decimal:
    """Return the change from `start` (not zero) to `end` in percent of `start`."""
    return (end - start) / start * 100
