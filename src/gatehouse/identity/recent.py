"""A small memory that forgets."""

from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """Keeps at most `limit` values, each for `seconds` from the moment that it was true."""

    def __init__(self, seconds: float, limit: int) -> None:
        self._seconds = seconds
        self._limit = limit
        self._values: dict[str, tuple[float, Value]] = {}

    def get(self, key: str) -> Value | None:
        """Return what is kept under `key`, or None when there is nothing or it is too old."""
        as_of, value = self._values.get(key, (float("-inf"), None))
        return value if monotonic() - as_of < self._seconds else None

    def put(self, key: str, value: Value, as_of: float) -> None:
        """Keep `value`, which was true at `as_of` on the monotonic clock: before it was asked for."""
        self._values.pop(key, None)
        while len(self._values) >= self._limit:
            del self._values[next(iter(self._values))]
        self._values[key] = (as_of, value)

    def forget(self, matches: Callable[[Value], bool]) -> None:
        """Drop every value that `matches`."""
        self._values = {key: kept for key, kept in self._values.items() if not matches(kept[1])}
