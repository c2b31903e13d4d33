"""A mapping that keeps what was used last."""

from collections import OrderedDict
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """Keeps the `size` values that were set or read last."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[Key, Value] = OrderedDict()

    def get(self, key: Key) -> Value | None:
        """Return the value of `key`, or None where it is not kept or no longer."""
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def set(self, key: Key, value: Value) -> None:
        """Keep `value`; the one that was not used for longest goes when there is no room."""
        self._values[key] = value
        self._values.move_to_end(key)
        while len(self._values) > self._size:
            self._values.popitem(last=False)
