"""Stores the answer of a run in its thread, and waits for stores that are away."""

import asyncio
import time

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gatehouse.runs.conversation.history import History, HistoryAway
from gatehouse.runs.conversation.steps import all_steps
from gatehouse.runs.lifecycle.execution import Execution
from gatehouse.runs.log.log import RETRY_SECONDS, RunLog
from gatehouse.runs.records import RunRecord

log = structlog.get_logger(__name__)

KEEP_SECONDS = 20.0  # in which a database that was restarted is back


async def keep_answer(history: History, redis: Redis, execution: Execution, ended: RunRecord) -> None:
    """Store the answer, or log why it cannot be: the run ends all the same.

    A store that is away is waited for, for 20 s, while the run is this process's.
    """
    until = time.monotonic() + KEEP_SECONDS
    try:
        while not (execution.given_up or await kept(history, redis, execution, ended)):
            if time.monotonic() > until:
                log.error("answer not stored: its store is away", run_id=ended.id)
                return
            await asyncio.sleep(RETRY_SECONDS)
    except Exception:
        log.exception("answer could not be stored", run_id=ended.id)


async def kept(history: History, redis: Redis, execution: Execution, ended: RunRecord) -> bool:
    """Store the answer; False when Redis or the database is away."""
    try:
        await history.keep(ended, await all_steps(RunLog(redis), ended, execution.steps))
    except (RedisError, OSError, HistoryAway) as error:
        log.warning("answer waits to be stored", run_id=ended.id, error=type(error).__name__)
        return False
    return True
