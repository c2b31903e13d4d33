"""A circuit breaker: a model that is down is left alone for a while."""

import time
from collections import OrderedDict
from collections.abc import Callable

from gatehouse.models.asking import asker
from gatehouse.models.errors import Blame

MOST_DOUBTFUL = 1000
MOST_CALLERS = 1000  # for whom alone a model is left alone


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

    def failed(self, blame: Blame = "provider") -> None:  # noqa: ARG002  # here whatever is to blame
        """The model did not answer."""
        now = self._clock()
        if self._shut_until is not None:
            self._shut_until = now + self.cooldown
            return
        self._failed_at = [moment for moment in self._failed_at if now - moment < self.window] + [now]
        if self.failures and len(self._failed_at) >= self.failures:
            self._shut(now)

    def _shut(self, now: float) -> None:
        self._failed_at.clear()
        self._shut_until = now + self.cooldown
        self._changed(True)


class ModelCircuit(Circuit):
    """A model's circuit that one caller's failures do not open for the others.

    What no input can cause, a connection that is refused, counts whoever asked. What an input may cause
    counts when two callers have met it: one whose every question fails, or whose thread holds what the model
    fails on, is no outage. A provider that says of itself that it is not available is left alone for the
    caller who was told so.
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
        super().__init__(failures, cooldown, window=window, changed=changed, clock=clock)
        self._doubtful: list[tuple[float, str]] = []  # when an input may have been to blame, and whose
        self._own: OrderedDict[str, Circuit] = OrderedDict()

    def seconds_to_wait(self) -> float:
        own = self._own.get(asker())
        return max(super().seconds_to_wait(), own.seconds_to_wait() if own else 0.0)

    def enter(self) -> bool:
        own = self._own.get(asker())
        return (own is None or own.enter()) and super().enter()

    def succeeded(self) -> None:
        self._doubtful.clear()
        self._own.pop(asker(), None)
        super().succeeded()

    def failed(self, blame: Blame = "provider") -> None:
        who = asker()
        if blame == "provider" or not who or self.open:
            super().failed()
            return
        if blame == "unavailable":
            self._own_of(who).failed()
        now = self._clock()
        recent = [(moment, whose) for moment, whose in self._doubtful if now - moment < self.window]
        self._doubtful = [*recent, (now, who)][-MOST_DOUBTFUL:]
        several = len({whose for _, whose in self._doubtful}) > 1
        if self.failures and several and len(self._doubtful) >= self.failures:
            self._doubtful.clear()
            self._shut(now)

    def _own_of(self, who: str) -> Circuit:
        if who not in self._own and len(self._own) >= MOST_CALLERS:
            self._own.popitem(last=False)
        own = Circuit(self.failures, self.cooldown, window=self.window, clock=self._clock)
        return self._own.setdefault(who, own)
