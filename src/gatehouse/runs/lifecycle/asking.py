"""Stores the questions of runs that ask late: with their answers, where these come at once.

Where nobody is told of a run and its thread before it has ended, its question is not stored before the model
is asked. What is over within `LATE_SECONDS` stores question and answer in one transaction; what goes on
stores the question then. Until the thread has it, the run's record does (`RunRecord.asks_late`): whoever
makes the next attempt stores it first.
"""

import asyncio

import structlog
from redis.exceptions import RedisError

from gatehouse.problems.stores import ThreadAway
from gatehouse.runs.conversation.history import History, HistoryAway
from gatehouse.runs.lifecycle.attempts import Attempts
from gatehouse.runs.lifecycle.execution import Execution

log = structlog.get_logger(__name__)

LATE_SECONDS = 0.5  # a short answer takes so long where many are asked for at once


class Asking:
    """Stores the question of one execution when the run goes on for longer than `LATE_SECONDS`."""

    def __init__(self, execution: Execution, history: History, attempts: Attempts) -> None:
        self._execution = execution
        self._history = history
        self._attempts = attempts
        self._timer: asyncio.TimerHandle | None = None
        self._storing: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """See to it that the question is stored in time: at once, where an attempt before this one is lost.

        Raises ThreadAway.
        """
        run = self._execution.run
        if not run.asks_late:
            return
        if run.attempt > 1:
            await self.store()
        else:
            self._timer = asyncio.get_running_loop().call_later(LATE_SECONDS, self._store_meanwhile)

    async def store(self) -> None:
        """Return when the thread has the question. Raises ThreadAway."""
        await self.settle()
        try:
            await self._store()
        except HistoryAway as error:
            raise ThreadAway from error

    async def settle(self) -> None:
        """Store the question later only if that has begun: then return when it is done."""
        self.close()
        if self._storing is not None:
            await asyncio.wait({self._storing})

    def close(self) -> None:
        """Store the question no more: the attempt is over, however it came to its end."""
        if self._timer is not None:
            self._timer.cancel()

    def _store_meanwhile(self) -> None:
        self._storing = asyncio.create_task(self._store_or_stop(), name="late question")

    async def _store_or_stop(self) -> None:
        """Store the question, unless another process has the run.

        A run whose thread cannot take it is stopped while its model still answers.
        """
        execution = self._execution
        await execution.settle()
        if execution.given_up:
            return
        try:
            await self._store()
        except Exception as error:
            log.warning("question cannot be stored", run_id=execution.run.id, error=type(error).__name__)
            if execution.phase != "produced":
                execution.halt("unkept")

    async def _store(self) -> None:
        run = self._execution.run
        if not run.asks_late:
            return
        await self._history.begin(run)
        self._execution.asked_in_thread()
        try:
            await self._attempts.asked(run.id, run.attempt)
        except (RedisError, OSError) as error:  # the next attempt would find that the thread has it
            log.warning("question may be stored again", run_id=run.id, error=type(error).__name__)
