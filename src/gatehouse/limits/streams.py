"""Open streams of a caller, counted in each process.

What they use up are a process's sockets and memory, so they are counted where that is, and cost no call.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from gatehouse.identity.principal import Principal
from gatehouse.limits.refusal import LimitReached
from gatehouse.settings.plans import Plans

RETRY_SECONDS = 5


class OpenStreams:
    """The streams and WebSockets that callers have open in this process."""

    def __init__(self, plans: Plans) -> None:
        self._plans = plans
        self._open: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def one_more(self, principal: Principal) -> Iterator[None]:
        """Count a stream while it is open. Raises LimitReached when the caller has as many as they may."""
        caller = (principal.tenant_id, principal.user_id)
        if self._open[caller] >= self._plans.of(principal.plan).plan.open_streams:
            raise LimitReached("open-streams", "user", RETRY_SECONDS)
        self._open[caller] += 1
        try:
            yield
        finally:
            self._open[caller] -= 1
            if not self._open[caller]:
                del self._open[caller]
