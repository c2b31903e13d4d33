"""How long a run stands still after its process was killed or paused."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from redis.asyncio import Redis

from gatehouse.runs.lifecycle.attempts import lease_key
from gatehouse.runs.log.log import log_key
from gatehouse.runs.replies import streams, text

LOOK_AGAIN_MS = 50
HIGHEST_SEQUENCE = 2**64 - 1


@dataclass(eq=False, slots=True)
class Life:
    """A process from its start to its end. `gone_at` is when (monotonic) it was last killed or paused."""

    replica: str
    gone_at: float | None = None


@dataclass(slots=True)
class Executed:
    """A run that goes on: whose it is, what its attempts were made for, and when its client was told."""

    life: Life | None
    attempt: int = 1
    fault_at: dict[int, float] = field(default_factory=dict)
    told_at: dict[int, float] = field(default_factory=dict)


@dataclass(slots=True)
class Recovery:
    """Watches the logs of all runs for the first event of their next attempts. Times are in seconds.

    `lives` are the processes by the names under which they hold leases.
    """

    redis: Redis
    lives: Mapping[str, Life]
    to_next_attempt: list[float] = field(default_factory=list)
    to_client: list[float] = field(default_factory=list)
    unprovoked: list[str] = field(default_factory=list)
    _runs: dict[str, Executed] = field(default_factory=dict)

    async def started(self, run_id: str) -> None:
        """Note that a client has started a run."""
        self._runs[run_id] = Executed(await self._executor_of(run_id))

    def told(self, run_id: str, attempt: int) -> None:
        """Note that a client has come to know of an attempt."""
        if run := self._runs.get(run_id):
            run.told_at.setdefault(attempt, time.monotonic())

    def ended(self, run_id: str) -> None:
        """Note that a client has seen the end of a run."""
        if run := self._runs.pop(run_id, None):
            both = run.fault_at.keys() & run.told_at.keys()
            self.to_client += [run.told_at[attempt] - run.fault_at[attempt] for attempt in both]

    async def watch(self) -> None:
        """Take the times, until cancelled."""
        while True:
            after = {log_key(id_): f"{run.attempt}-{HIGHEST_SEQUENCE}" for id_, run in self._runs.items()}
            if not after:
                await asyncio.sleep(LOOK_AGAIN_MS / 1000)
                continue
            ids = {log_key(id_): id_ for id_ in self._runs}
            reply = await self.redis.xread(after, block=LOOK_AGAIN_MS, count=1)  # type: ignore[arg-type]
            for key, entries in streams(reply):
                await self._next_attempt(ids[key], attempt=int(entries[0][0].partition(b"-")[0]))

    async def _next_attempt(self, run_id: str, attempt: int) -> None:
        now = time.monotonic()
        run = self._runs.get(run_id)
        if run is None:
            return
        if run.life is None or run.life.gone_at is None:
            whose = run.life.replica if run.life else "nobody"
            self.unprovoked.append(f"run {run_id}, attempt {attempt}: it was executed by {whose}")
        else:
            run.fault_at[attempt] = run.life.gone_at
            self.to_next_attempt.append(now - run.life.gone_at)
        run.life = await self._executor_of(run_id)
        run.attempt = attempt

    async def _executor_of(self, run_id: str) -> Life | None:
        """Return the process that holds the run's lease, or None when nobody does."""
        owner = await self.redis.get(lease_key(run_id))
        return self.lives.get(text(owner)) if owner else None
