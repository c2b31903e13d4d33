"""Whether a run's caller may still act: asked before every tool that changes something."""

from dataclasses import dataclass

from langchain_core.runnables import RunnableConfig
from redis.asyncio import Redis

from app.errors import CredentialExpired
from app.runs.credentials import Holds
from app.runs.records import load
from tools.acting import MayNotAct


class RunMayNotAct(CredentialExpired, MayNotAct):
    """Ends the run: its agent lets it pass, and the engine tells it to the viewers."""


@dataclass(frozen=True, slots=True)
class BeforeActing:
    """What `tools.registry.build_tools` is handed. The run's record says whose credential it is."""

    redis: Redis
    holds: Holds

    async def __call__(self, config: RunnableConfig) -> None:
        """Return when the credential that the run was started with still holds; else raise RunMayNotAct.

        Raises too when the run was cancelled, and what `holds` raises when it cannot be told.
        """
        run_id = (config.get("configurable") or {}).get("run_id")
        run = await load(self.redis, run_id) if isinstance(run_id, str) else None
        if run is None or run.finished or run.cancel or not await self.holds(run.principal):
            raise RunMayNotAct
