"""A circuit breaker: a model that is down is left alone for a while."""

import time
from collections.abc import Callable


def nobody(_open: bool) -> None:
    """Listen to no change."""


class Circuit:
    """Opens after `failures` failures in a row within `window` seconds; 0 never opens it.

    While it is open, no call is let through. After `cooldown` seconds one is, to see: its success closes the
    circuit, its failure begins the cooldown anew. One that tells nothing within a cooldown counts as lost,
    and the next is let through. `changed(open)` is called when it opens or closes.
    """

    def __init__(
        self,
        failures: int,
        cooldown: float,
        *,
        window: float = 60.0,
        changed: Callable[[bool], None] = nobody,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.failures = failures
        self.cooldown = cooldown
        self.window = window
        self._changed = changed
        self._clock = clock
        self._failed_at: list[float] = []
        self._shut_until: float | None = None  # None: calls pass

    @property
    def open(self) -> bool:
        return self._shut_until is not None

    def seconds_to_wait(self) -> float:
        """Return the seconds after which a call may be let through; 0.0 if one may be now."""
        return 0.0 if self._shut_until is None else max(0.0, self._shut_until - self._clock())

    def enter(self) -> bool:
        """Tell whether a call may be made now. Whoever gets True says how it went."""
        if self._shut_until is None:
            return True
        if self.seconds_to_wait() > 0:
            return False
        self._shut_until = self._clock() + self.cooldown  # this one is to see
        self._failed_at.clear()
        return True

    def succeeded(self) -> None:
        """The model answered."""
        self._failed_at.clear()
        if self._shut_until is not None:
            self._shut_until = None
            self._changed(False)

    def failed(self) -> None:
        """The model did not answer."""
        now = self._clock()
        if self._shut_until is not None:
            self._shut_until = now + self.cooldown
            return
        self._failed_at = [moment for moment in self._failed_at if now - moment < self.window] + [now]
        if self.failures and len(self._failed_at) >= self.failures:
            self._failed_at.clear()
            self._shut_until = now + self.cooldown
            self._changed(True)
