"""Whether a run's caller may still act: asked before every tool that changes something."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from langchain_core.runnables import RunnableConfig
from redis.asyncio import Redis

from gatehouse.problems.errors import CredentialExpired
from gatehouse.runs.credentials import CredentialValid
from gatehouse.runs.lifecycle.attempts import lease_key
from gatehouse.runs.records import RunRecord, load
from gatehouse.tools.acting import MayNotAct

LEASE_SECONDS = 10.0  # in which a process that is well has renewed the lease, after Redis was not
LEASE_POLL = 0.1


class RunMayNotAct(CredentialExpired, MayNotAct):
    """Ends the run: its agent lets it pass, and the engine tells it to the viewers."""


# Keeps on record that a run's tool, by its name, acts (true) or was kept from it; raises when it cannot
Recorded = Callable[[RunRecord, str, bool], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class BeforeActing:
    """What `gatehouse.tools.building.build_tools` is handed. The run's record says whose credential it is."""

    redis: Redis
    credential_valid: CredentialValid
    recorded: Recorded

    async def __call__(self, tool: str, config: RunnableConfig) -> None:
        """Return when the credential that the run was started with still holds, and that is on record.

        Raises RunMayNotAct when it does not, when the run was cancelled, or when this attempt at it is not
        the newest: another process has the run now; and what `credential_valid` and `recorded` raise: what
        cannot be put on record is not done.
        """
        configurable = config.get("configurable") or {}
        run = await self._held(configurable.get("run_id"), configurable.get("attempt"))
        acts = not run.cancel and await self.credential_valid(run.principal)
        await self.recorded(run, tool, acts)
        if not acts:
            raise RunMayNotAct

    async def _held(self, run_id: object, attempt: object) -> RunRecord:
        """Return the run while this attempt at it has its lease: one that has run out is waited for.

        Raises RunMayNotAct when it is another's meanwhile, has ended, or is not renewed in time.
        """
        until = time.monotonic() + LEASE_SECONDS
        while isinstance(run_id, str) and time.monotonic() < until:
            held = await self.redis.exists(lease_key(run_id))
            run = await load(self.redis, run_id)
            if run is None or run.finished or run.attempt != attempt:
                break
            if held:
                return run
            await asyncio.sleep(LEASE_POLL)
        raise RunMayNotAct
