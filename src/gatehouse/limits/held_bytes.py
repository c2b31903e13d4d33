"""Bytes that a process holds for a caller: of bodies that still come, and of answers that are not taken yet.

A connection is bounded by itself, but a caller may open as many as they like. What they use up is a
process's memory, so it is counted where that is, as open streams are.
"""

from collections import Counter

from gatehouse.limits.refusal import LimitReached, Whose

MOST = 32 * 1024 * 1024
RETRY_SECONDS = 5

Holder = tuple[str, str]  # a tenant and a user, or "" and the network address of one who is nobody yet


class HeldBytes:
    """What is held for each caller in this process, in bytes; at most `most`, or one body that is larger."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._held: Counter[Holder] = Counter()

    def hold(self, holder: Holder, size: int, own: int = 0) -> None:
        """Count so many bytes more; `own` are those that the same request holds already.

        Raises LimitReached when other requests leave no room.
        """
        held = self._held[holder]
        if held > own and held + size > self._most:
            whose: Whose = "user" if holder[0] else "address"
            raise LimitReached("held-bytes", whose, RETRY_SECONDS)
        self._held[holder] = held + size

    def release(self, holder: Holder, size: int) -> None:
        """Count so many bytes less."""
        self._held[holder] -= size
        if not self._held[holder]:
            del self._held[holder]

    def __getitem__(self, holder: Holder) -> int:
        """Return how many bytes are held for a caller."""
        return self._held[holder]
