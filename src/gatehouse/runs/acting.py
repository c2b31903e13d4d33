"""Whether a run's caller may still act: asked before every tool that changes something."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from langchain_core.runnables import RunnableConfig
from redis.asyncio import Redis

from gatehouse.problems.errors import CredentialExpired
from gatehouse.runs.credentials import CredentialValid
from gatehouse.runs.records import RunRecord, load
from gatehouse.tools.acting import MayNotAct


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

        Raises RunMayNotAct when it does not, or when the run was cancelled; and what `credential_valid` and
        `recorded` raise: what cannot be put on record is not done.
        """
        run_id = (config.get("configurable") or {}).get("run_id")
        run = await load(self.redis, run_id) if isinstance(run_id, str) else None
        if run is None or run.finished:
            raise RunMayNotAct
        acts = not run.cancel and await self.credential_valid(run.principal)
        await self.recorded(run, tool, acts)
        if not acts:
            raise RunMayNotAct
