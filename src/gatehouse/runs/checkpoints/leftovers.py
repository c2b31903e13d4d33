"""Deletes the checkpoints of runs that are over, also where the process or the database was not there to."""

import asyncio
import time
from typing import Any

import structlog
from langgraph.checkpoint.base import BaseCheckpointSaver
from redis.asyncio import Redis

from gatehouse.background import all_of
from gatehouse.runs.records import load
from gatehouse.runs.waits import NobodyDecides, Waits
from gatehouse.storage.redis.cluster.client import beside, everywhere
from gatehouse.storage.redis.script import COMMAND_SECONDS, Script
from gatehouse.storage.tenancy import tenant_of_context

log = structlog.get_logger(__name__)

LEFTOVERS = "gh:runs:leftovers"  # tenants by run id: written with the end of a run, gone with its checkpoints
FORGET = "return redis.call('HDEL', KEYS[1], ARGV[1])"  # over the connection that scripts share
PAUSE = 30.0  # seconds between two looks at those
SWEEP_EVERY = 3600.0  # seconds between two looks at the tables themselves: Redis may have lost its data
OVER_AFTER = 86_400.0  # seconds after its start for which no run goes on
AT_ONCE = 100


class Leftovers:
    """The checkpoints of ended runs, of whatever process."""

    def __init__(
        self, redis: Redis, checkpoints: BaseCheckpointSaver[Any], waits: Waits | None = None
    ) -> None:
        self._redis = redis
        self._forget = Script(redis, FORGET, COMMAND_SECONDS)
        self._waits = waits or NobodyDecides()
        self._checkpoints = checkpoints

    async def note(self, run_id: str, tenant_id: str) -> None:
        """Have the run's checkpoints deleted: it is being erased."""
        await self._redis.hset(beside(self._redis, LEFTOVERS, run_id), run_id, tenant_id)

    async def delete(self, run_id: str, tenant_id: str) -> None:
        """Delete the run's checkpoints now. Raises what their store raises; a later look tries again."""
        token = tenant_of_context.set(tenant_id)
        try:
            await self._checkpoints.adelete_thread(run_id)
        finally:
            tenant_of_context.reset(token)
        await self._forget([beside(self._redis, LEFTOVERS, run_id)], [run_id])

    async def look(self) -> None:
        """Delete what is left, again and again, until cancelled."""
        swept = time.monotonic()
        while True:
            await asyncio.sleep(PAUSE)
            try:
                await self.delete_noted()
                if time.monotonic() - swept > SWEEP_EVERY:
                    swept = time.monotonic()
                    await self.sweep(OVER_AFTER)
            except Exception as error:  # the next look may find the stores well
                log.warning("checkpoints are left over", error=type(error).__name__)

    async def delete_noted(self) -> None:
        """Delete the checkpoints of the runs that have ended."""
        await all_of(self._delete_noted(noted) for noted in everywhere(self._redis, LEFTOVERS))

    async def _delete_noted(self, leftovers: str) -> None:
        noted: Any = (await self._redis.hscan(leftovers, count=AT_ONCE))[1]
        for run_id, tenant_id in noted.items():
            await self._delete_unless_running(run_id.decode(), tenant_id.decode())

    async def sweep(self, seconds: float) -> None:
        """Delete the checkpoints of all runs that were started longer ago, whoever knew of them."""
        left_over = getattr(self._checkpoints, "left_over", None)
        if left_over is None:
            return
        found = await left_over(first_id_of(time.time() - seconds), AT_ONCE)
        for run_id, tenant_id in found:
            await self._delete_unless_running(run_id, tenant_id)

    async def _delete_unless_running(self, run_id: str, tenant_id: str) -> None:
        run = await load(self._redis, run_id) or await self._waits.kept(tenant_id, run_id)
        if run is None or run.finished:
            await self.delete(run_id, tenant_id)


def first_id_of(moment: float) -> str:
    """Return what all ids of that moment (Unix seconds) and later are not below: UUIDv7, RFC 9562."""
    milliseconds = f"{max(0, int(moment * 1000)):012x}"
    return f"{milliseconds[:8]}-{milliseconds[8:]}-7000-8000-000000000000"
