"""Takes back starts that failed half-way: at once, or when the stores that are away are back."""

from dataclasses import dataclass
from typing import ClassVar

import structlog
from redis.exceptions import RedisError

from gatehouse.limits.reservations import NOTHING_HELD, Reservations
from gatehouse.problems.errors import ApiError, Unavailable
from gatehouse.runs.conversation.history import History, HistoryAway
from gatehouse.runs.lifecycle.attempts import Attempts
from gatehouse.runs.records import RunRecord

log = structlog.get_logger(__name__)


class NotStored(Unavailable):
    """Redis has not said whether it has the run. It is taken back, whether or not."""

    default_detail = "The run could not be started: ask again. With the same Idempotency-Key it runs once."
    retry_after: ClassVar[int] = 2


@dataclass(slots=True)
class Start:
    """How far a start has come, so that so much can be undone."""

    run: RunRecord
    has_turn: bool = False
    may_have_asked: bool = False  # the question may be in the thread
    maybe_stored: bool = False

    def failed(self, error: BaseException) -> None:
        """Note what it failed with: after a refusal nothing is in the thread."""
        self.maybe_stored = isinstance(error, NotStored)
        if isinstance(error, ApiError) and not self.maybe_stored:
            self.may_have_asked = False

    @property
    def left_anything(self) -> bool:
        """Whether there is anything to take back."""
        return bool(self.run.idempotency or self.has_turn or self.may_have_asked or self.maybe_stored)


class Undoing:
    """The starts of one process that are to be taken back."""

    def __init__(self, attempts: Attempts, history: History, reservations: Reservations) -> None:
        self._attempts = attempts
        self._history = history
        self._reservations = reservations
        self._waiting: dict[str, Start] = {}

    async def undo(self, start: Start) -> None:
        """Take a start back. What Redis does not answer to now is done with a later beat."""
        self._waiting[start.run.id] = start
        if not start.maybe_stored:  # else Redis has been silent for seconds, and the caller waits
            await self.go_on()

    async def go_on(self) -> None:
        """Take back what waits for that. Never raises."""
        for run_id, start in list(self._waiting.items()):
            try:
                await self._take_back(start)
            except (RedisError, OSError, HistoryAway) as error:
                log.warning("start cannot be undone yet", run_id=run_id, error=type(error).__name__)
                return
            except Exception:
                log.exception("start could not be undone", run_id=run_id)
            self._waiting.pop(run_id, None)

    async def _take_back(self, start: Start) -> None:
        run = start.run
        hold = NOTHING_HELD  # its admission gives it back
        if start.maybe_stored:
            hold = self._reservations.hold(run.principal, run.reservation)
        await self._attempts.undo(run, hold)
        if start.may_have_asked:
            await self._history.undo(run)
