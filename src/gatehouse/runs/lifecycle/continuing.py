"""Goes on with runs that waited: with what was decided, or to their end."""

from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import structlog

from gatehouse.identity.principal import Principal
from gatehouse.plain_json import json_bytes
from gatehouse.runs.lifecycle.conducting import Conductor
from gatehouse.runs.records import RunRecord, principal_fields
from gatehouse.runs.waits import How, WaitingRun

log = structlog.get_logger(__name__)

LOST, NOT_YET = -1, 0


@dataclass(frozen=True, slots=True)
class Continuing:
    """Lets runs go on, whichever process executed them before."""

    conductor: Conductor

    async def go_on(self, waiting: WaitingRun) -> bool:
        """Make the run go on, or end, with its next attempt, here if it can; False while it is too early.

        To do so again does nothing. A run that Redis has lost is restored first. Raises RedisError.
        """
        run, attempts = waiting.run, self.conductor.attempts
        fields = self._fields(run, waiting.how, waiting.decider)
        known = ceil(self.conductor.settings.deadline + self.conductor.settings.keep)
        answer = await attempts.go_on(run, waiting.attempt, known, fields)
        if answer == LOST:
            log.warning("a run that waited is restored", run_id=run.id)
            await self.restore(run, waiting.attempt, 0)
            answer = await attempts.go_on(run, waiting.attempt, known, fields)
        if answer == NOT_YET:
            return False
        await self.conductor.revive(run.id)
        return True

    async def restore(self, run: RunRecord, attempt: int, seconds: float) -> None:
        """Bring a run back that waits for so long, if Redis has lost it. Raises RedisError."""
        settings = self.conductor.settings
        known = ceil(seconds + settings.deadline + settings.keep)
        await self.conductor.attempts.restore(replace(run, state="waiting", attempt=attempt), known)

    async def end(self, run: RunRecord) -> None:
        """End a run whose questions are gone with its thread, so that nobody can decide any more."""
        await self.go_on(WaitingRun(run, run.attempt, "cancelled"))

    def _fields(self, run: RunRecord, how: How, decider: Principal | None) -> dict[str, Any]:
        """Return what changes of the run: it goes on for whoever asked, on the credential of who decided."""
        now = self.conductor.clock.now()
        fields: dict[str, Any] = {
            "deadline": now + self.conductor.settings.deadline,
            "grace": self.conductor.settings.deadline,  # nobody may be there who reads it
            "over": how if how in ("expired", "revoked") else "",
        }
        if how == "cancelled":
            fields["cancel"] = "cancelled"
        if decider is not None:
            stands = replace(
                run.principal,
                credential=decider.credential,
                credential_id=decider.credential_id,
                expires_at=decider.expires_at,
                opened_with=decider.opened_with,
            )
            fields["principal"] = json_bytes(principal_fields(stands))
        return fields
