"""How often something may happen in this process."""

import time
from collections.abc import Callable


class TokenBucket:
    """Allows `burst` at once and `per_second` in the long run. `clock` is in seconds."""

    def __init__(
        self,
        burst: int,
        per_second: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.burst = burst
        self.per_second = per_second
        self.clock = clock
        self._left = float(burst)
        self._at = clock()

    def take(self) -> bool:
        """Take one, or tell that none is left."""
        now = self.clock()
        self._left = min(self.burst, self._left + (now - self._at) * self.per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
