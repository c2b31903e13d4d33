"""Stores the answers of runs in their threads. What a thread cannot take now waits in Redis until it can."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gatehouse.background import all_of
from gatehouse.runs.answers import ANSWERS, kept_answer, parsed_answer
from gatehouse.runs.conversation.history import History, HistoryAway
from gatehouse.runs.conversation.steps import all_steps
from gatehouse.runs.events import Event, ToolStart
from gatehouse.runs.lifecycle.execution import Execution
from gatehouse.runs.log.log import RETRY_SECONDS, RunLog
from gatehouse.runs.records import RunRecord
from gatehouse.storage.redis.cluster.client import everywhere

log = structlog.get_logger(__name__)

KEEP_SECONDS = 5.0  # that a run's viewers wait for its end, so that its thread has the answer then
LATE_PAUSE = 1.0  # between two looks at the answers that wait
AT_ONCE = 100


class Keeping:
    """Keeps the answers of the runs of one process, and those that wait, whosever they are."""

    def __init__(self, redis: Redis, history: History) -> None:
        self._redis = redis
        self._history = history

    async def keep(self, execution: Execution, ended: RunRecord) -> bytes:
        """Store the answer; return it as it is to wait in Redis where its store is away for seconds.

        A store that refuses it is in the log: the run ends all the same. With an answer whose question is not
        stored either nobody waits, and none is given up: who asked can be told.
        """
        until = time.monotonic() + (0 if ended.asks_late else KEEP_SECONDS)
        if ended.asks_late and ended.cancel and ended.attempt > 1:  # its thread may have been deleted
            return b""
        try:
            steps = await self._steps(execution, ended)
            while not (execution.given_up or await self._kept(ended, steps)):
                if time.monotonic() > until:
                    log.warning("answer waits: its store is away", run_id=ended.id)
                    return kept_answer(ended, steps)
                await asyncio.sleep(RETRY_SECONDS)
        except Exception:
            log.exception("answer could not be stored", run_id=ended.id)
            if ended.asks_late:
                return kept_answer(ended, execution.steps)
        return b""

    async def keep_late(self) -> None:
        """Store the answers that wait, until cancelled."""
        while True:
            await asyncio.sleep(LATE_PAUSE)
            try:
                await self.keep_waiting()
            except (RedisError, OSError, HistoryAway) as error:
                log.warning("answers still wait", error=type(error).__name__)
            except Exception:  # the next look may find others
                log.exception("answers are not stored")

    async def keep_waiting(self) -> None:
        """Store the answers that wait. Raises HistoryAway, and what Redis raises."""
        await all_of(self._keep_waiting(answers) for answers in everywhere(self._redis, ANSWERS))

    async def _keep_waiting(self, answers: str) -> None:
        if not await self._redis.hlen(answers):
            return
        reply: Any = await self._redis.hscan(answers, count=AT_ONCE)
        kept: dict[bytes, bytes] = reply[1]
        for run_id, answer in kept.items():
            await self._keep_late(run_id.decode(), answer)
            await self._redis.hdel(answers, run_id.decode())

    async def _keep_late(self, run_id: str, answer: bytes) -> None:
        """Store an answer. One that its store refuses would be refused for ever: the log has it."""
        try:
            await self._history.keep(*parsed_answer(answer))
        except HistoryAway:
            raise
        except Exception:
            log.exception("answer could not be stored", run_id=run_id)

    async def _steps(self, execution: Execution, ended: RunRecord) -> Sequence[Event]:
        """Return the steps of the run over all its attempts."""
        while True:
            try:
                steps = await all_steps(RunLog(self._redis), ended, execution.steps)
                return edited(steps, execution.answers.edits)
            except (RedisError, OSError) as error:  # without Redis the run cannot end anyway
                log.warning("answer waits to be stored", run_id=ended.id, error=type(error).__name__)
                if execution.given_up:
                    return ()
                await asyncio.sleep(RETRY_SECONDS)

    async def _kept(self, ended: RunRecord, steps: Sequence[Event]) -> bool:
        """Store the answer; False when the database is away."""
        try:
            await self._history.keep(ended, list(steps))
        except HistoryAway as error:
            log.warning("answer waits to be stored", run_id=ended.id, error=type(error).__name__)
            return False
        return True


def edited(steps: Sequence[Event], edits: Mapping[str, dict[str, Any]]) -> Sequence[Event]:
    """Return steps in which a call has the arguments it was made with, where a person has changed them."""
    return [
        replace(step, input=edits[step.call_id])
        if isinstance(step, ToolStart) and step.call_id in edits
        else step
        for step in steps
    ]
