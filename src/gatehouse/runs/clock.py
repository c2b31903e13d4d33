"""The time by which all replicas keep the deadlines of runs: Redis's, since a machine's own may be wrong."""

import time


class Clock:
    """Redis's time as it was last heard of, and gone on from there; this machine's until then."""

    def __init__(self) -> None:
        self._at_zero = time.time() - time.monotonic()

    def heard(self, now: float) -> None:
        """Note what time it is, in Unix seconds."""
        self._at_zero = now - time.monotonic()

    def now(self) -> float:
        """Return the time in Unix seconds."""
        return self._at_zero + time.monotonic()
