"""People who decide on payments: at two replicas at once, against one another, and against the clock."""

import asyncio
import random
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.storage.tenancy import see_tenant
from tests.chaos.effects.cases import Case, Word

# how much is said at once
SAID: dict[Word, int] = {"once": 1, "twice": 2, "rejected": 2, "cancelled": 2, "expired": 2}
SPREAD = 0.3  # seconds within which it is said
AGAIN_SECONDS = 30.0
TENANT = "acme"  # of bench.processes.bearer
LOST = 0  # in place of a status: the replica was gone before it had answered
EXPIRES = text(
    "UPDATE approvals SET expires_at = clock_timestamp() + make_interval(secs => :seconds) WHERE run_id = :run"
)
RUN_EXPIRES = text(
    "UPDATE waiting_runs SET expires_at = clock_timestamp() + make_interval(secs => :seconds) WHERE run_id = :run"
)


@dataclass(slots=True)
class Asked:
    """A payment that waits for a person: its run, and what was answered to whom decided, by what they said."""

    run_id: str
    approval: dict[str, Any] = field(default_factory=dict)
    answers: list[tuple[str, int]] = field(default_factory=list)

    @property
    def approved(self) -> bool:
        return ("approve", httpx.codes.OK) in self.answers


@dataclass(frozen=True, slots=True)
class People:
    """Who decides at `here` and `there`, the addresses of two replicas, over one database."""

    http: httpx.AsyncClient
    here: str
    there: str
    engine: AsyncEngine

    async def say(self, case: Case, asked: Asked) -> None:
        """Say what the case has, from several places at once."""
        here, there = random.sample([self.here, self.there], 2)
        saying = [self._soon(self.decide(asked, "approve", here))]
        match case.word:
            case "twice":
                saying.append(self._soon(self.decide(asked, "approve", there)))
            case "rejected":
                saying.append(self._soon(self.decide(asked, "reject", there)))
            case "cancelled":
                saying.append(self._soon(self._cancel(asked, there)))
            case "expired":
                await self._expire(asked)
                saying.append(self._soon(self.decide(asked, "approve", there)))
        await asyncio.gather(*saying)

    async def _soon(self, saying: Awaitable[object]) -> None:
        """Say it about when the others do: who comes first is chance."""
        await asyncio.sleep(random.uniform(0, SPREAD))  # no secret
        await saying

    async def decide(self, asked: Asked, choice: str, url: str) -> int:
        """Decide at a replica, and return the status of its answer."""
        body = {"decision": choice, "digest": asked.approval["digest"]}
        status = await self._posted(f"{url}/api/approvals/{asked.approval['id']}/decision", body)
        asked.answers.append((choice, status))
        return status

    async def _cancel(self, asked: Asked, url: str) -> None:
        status = await self._posted(f"{url}/api/runs/{asked.run_id}/cancel", None)
        asked.answers.append(("cancel", status))

    async def _posted(self, url: str, body: Any) -> int:
        """Return the status of the answer; one that says to come again is asked again."""
        until = time.monotonic() + AGAIN_SECONDS
        while True:
            try:
                status = (await self.http.post(url, json=body)).status_code
            except httpx.TransportError:
                return LOST
            if status != httpx.codes.SERVICE_UNAVAILABLE or time.monotonic() > until:
                return status
            await asyncio.sleep(1)

    async def _expire(self, asked: Asked) -> None:
        """Have the approval expire while it is decided on."""
        seconds = random.uniform(0, 2 * SPREAD)  # no secret
        async with self.engine.begin() as connection:
            await see_tenant(connection, TENANT)
            for statement in (EXPIRES, RUN_EXPIRES):
                await connection.execute(statement, {"run": asked.run_id, "seconds": seconds})


def contradictions(answers: Sequence[tuple[str, int]]) -> list[str]:
    """Return what people were told that cannot be: that both sides have won, or an error of the server's."""
    won = {choice for choice, status in answers if status == httpx.codes.OK and choice != "cancel"}
    told = ["both were told that they had decided"] if len(won) > 1 else []
    return told + [f"{choice} was answered {status}" for choice, status in answers if status >= 500]
