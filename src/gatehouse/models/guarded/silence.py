"""Ends the wait for a model that has gone silent."""

import asyncio
import math
from types import TracebackType
from typing import Self

from gatehouse.models.errors import ModelTimedOut

LOOKS = 4  # in the time that a model may be silent
SHORTEST_PAUSE = 0.05  # while the reader, not the model, is past the deadline


class Silence:
    """Cancels the task that waits for the next chunk when it waits longer than `seconds`, or when no time is
    `left` for the whole answer, in seconds too. None is for ever.

    A timer that looks now and then costs less than a timeout for each chunk, which `asyncio.wait_for` makes a
    task for. What the reader does with a chunk is not the model's silence: only the time between `wait` and
    `heard` counts, in quarters of `seconds`.
    """

    def __init__(self, seconds: float | None, left: float | None) -> None:
        self._loop = asyncio.get_running_loop()
        self.pause = math.inf if seconds is None else seconds / LOOKS
        self.deadline = math.inf if left is None else self._loop.time() + left
        self.expired = False
        self._task: asyncio.Task[object] | None = None  # that waits
        self._wait = 0  # its number
        self._seen = (0, 0)  # the wait that was seen last, and how often
        self._cancelled_before = 0
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._look_later()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def wait(self) -> None:
        """The current task begins to wait for the model."""
        self._task = asyncio.current_task(self._loop)  # without it the loop is looked for, by a system call
        self._wait += 1

    def heard(self) -> None:
        """The wait is over."""
        self._task = None

    def reason(self, error: BaseException) -> Exception:
        """Return why the wait ended with `error`: ModelTimedOut if it was this silence, else `error`.

        Raises `error` itself when the task was cancelled by somebody else.
        """
        if isinstance(error, Exception):
            return error
        task = asyncio.current_task()
        if self.expired and task is not None and task.uncancel() <= self._cancelled_before:
            return ModelTimedOut("it was silent for too long")
        raise error

    def _look_later(self) -> None:
        pause = min(self.pause, self.deadline - self._loop.time())
        if pause < math.inf:
            self._timer = self._loop.call_later(max(pause, SHORTEST_PAUSE), self._look)

    def _look(self) -> None:
        if self._task is not None and self._waits_too_long(self._task):
            self.expired = True
            self._task.cancel()
        else:
            self._look_later()

    def _waits_too_long(self, task: "asyncio.Task[object]") -> bool:
        wait, looks = self._seen
        if wait != self._wait:
            wait, looks = self._wait, 0
            self._cancelled_before = task.cancelling()
        self._seen = wait, looks + 1
        return looks >= LOOKS or self._loop.time() >= self.deadline
