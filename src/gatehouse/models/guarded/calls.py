"""How a model is called: how long it is waited for, when it is asked again, when another one is asked.

A call is made again, or of the next candidate, only as long as nothing of its answer was shown. What was too
slow is not asked again: whoever waits has waited long enough.
"""

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import structlog

from gatehouse.models.errors import Cause, ModelCircuitOpen, ModelFailed
from gatehouse.models.failures import failure_of, status_of
from gatehouse.models.guarded.circuit import Circuit

log = structlog.get_logger(__name__)

FIRST_PAUSE = 0.5  # seconds before the first repetition; each later pause is twice as long
LONGEST_PAUSE = 8.0
MOST_LOGGED = 200  # characters of a provider's own words
# what a provider says about the server's own setting up and its limits; of anything else it may quote the
# question or the answer, which are nobody's to read in a log
ABOUT_US: frozenset[Cause] = frozenset({"auth", "rate_limit", "connection", "timeout"})

Source = TypeVar("Source")
Other = TypeVar("Other")


class ModelWatch(Protocol):
    """Who is told how the model does."""

    def failed(self, cause: Cause) -> None:
        """A call, or a repetition of one, failed."""

    def circuit(self, open: bool) -> None:  # noqa: A002  # what an observer calls it
        """The first model is left alone from now on, or asked again."""


class UnwatchedModel:
    """Tells nobody."""

    def failed(self, cause: Cause) -> None: ...

    def circuit(self, open: bool) -> None: ...  # noqa: A002


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that a model may be silent, that a call of it may take with its repetitions, and how many these
    may be. None: as long as it takes, as for a model in this process, where calls take turns.
    """

    silence: float | None = 60.0
    call: float | None = 180.0
    retries: int = 2


@dataclass(frozen=True, slots=True)
class Candidate(Generic[Source]):
    """What can be asked, as `source`, and how. `name` is for the log."""

    name: str
    source: Source
    circuit: Circuit
    patience: Patience = field(default_factory=Patience)

    def asking(self, source: "Other") -> "Candidate[Other]":
        """Return the candidate with another source: what is asked of the same model."""
        return Candidate(self.name, source, self.circuit, self.patience)


class ModelAttempts(Generic[Source]):
    """The attempts of one call: which candidate is asked next, and after which pause."""

    def __init__(self, candidates: Sequence[Candidate[Source]], watch: ModelWatch) -> None:
        self._candidates = candidates
        self._watch = watch
        self._left: Iterator[Candidate[Source]] = iter(candidates)
        self._repeated = 0
        self._failure: ModelFailed | None = None
        self._began = time.monotonic()
        self.current = self._next()

    def succeeded(self) -> None:
        """The candidate answered, or began to."""
        self.current.circuit.succeeded()

    def failed(self, error: Exception, shown: bool) -> float:
        """Return the seconds to wait before `current` is asked. Raises the failure when nobody else is.

        Raises `error` itself when it says nothing about the model. `shown`: part of the answer was.
        """
        failure = failure_of(error)
        self._watch.failed(failure.cause if failure else "other")
        if failure is None:
            raise error
        self._note(failure, error)
        if shown or not (failure.transient or failure.elsewhere):
            raise failure from error
        self._failure = failure
        pause = self._pause(failure)
        if failure.transient and self._may_repeat(pause) and self.current.circuit.enter():
            self._repeated += 1
            return pause
        self._repeated = 0
        self.current = self._next(error)
        return 0.0

    def seconds_left(self) -> float | None:
        """Return the seconds in which the call has to end."""
        limit = self.current.patience.call
        return None if limit is None else max(0.0, self._began + limit - time.monotonic())

    def _note(self, failure: ModelFailed, error: Exception) -> None:
        if failure.outage:
            self.current.circuit.failed(failure.blame)
        log.warning(
            "model call failed",
            model=self.current.name,
            cause=failure.cause,
            error=type(error).__name__,
            status=status_of(error),
            said=str(error)[:MOST_LOGGED] if failure.cause in ABOUT_US else "",
        )
        if failure.cause not in ABOUT_US:
            log.debug("model call failed", said=str(error)[:MOST_LOGGED])

    def _pause(self, failure: ModelFailed) -> float:
        """Return how long to wait: what the provider says, else longer each time, and never all at once."""
        longest: float = min(LONGEST_PAUSE, FIRST_PAUSE * 2**self._repeated)
        return max(longest * random.uniform(0.5, 1.0), failure.retry_after or 0.0)  # noqa: S311

    def _may_repeat(self, pause: float) -> bool:
        left = self.seconds_left()
        in_time = left is None or pause < left
        return self._repeated < self.current.patience.retries and pause <= LONGEST_PAUSE and in_time

    def _next(self, error: Exception | None = None) -> Candidate[Source]:
        """Return the next candidate that may be asked, else raise the failure of the one before."""
        for candidate in self._left:
            if candidate.circuit.enter():
                self._began = time.monotonic()
                return candidate
        if self._failure is None:
            seconds = min(candidate.circuit.seconds_to_wait() for candidate in self._candidates)
            raise ModelCircuitOpen("it failed too often and is left alone", retry_after=seconds)
        raise self._failure from error
