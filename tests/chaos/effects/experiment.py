"""Rounds: runs begin at a replica and stand still, each at its point; the replica is lost; others go on."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from math import inf
from pathlib import Path

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.processes import Server, bearer, gatehouse_server, migrate, redis_ready, redis_server
from gatehouse.storage.database import open_engine
from tests.chaos.effects.bank import Bank, open_bank
from tests.chaos.effects.cases import Case, Fault, cases
from tests.chaos.effects.findings import Findings, Outcome
from tests.chaos.events import events

STUCK_SECONDS = 300
HELD_SECONDS = 60
ENDED = ("completed", "failed", "cancelled")
LOOK_EVERY = 2.0  # seconds: of many runs at once


@dataclass(frozen=True, slots=True)
class Experiment:
    """`runs` in rounds of so many; every `pauses`-th round is a pause and not a kill. Lease in seconds.

    After so many `minutes` no round begins any more; None: all do.
    """

    runs: int = 2016
    at_once: int = 48
    pauses: int = 4
    replicas: int = 3
    lease: float = 3.0
    minutes: float | None = None


async def conduct(plan: Experiment, folder: Path, database_url: str, tell: Callable[[str], None]) -> Findings:
    """Return what was found. Servers keep their logs in `folder`; `tell` is given lines of progress."""
    async with open_bank() as bank, payments_in(database_url) as engine:
        (folder / "bank").write_text(bank.url)
        async with running(plan, folder, database_url) as servers:
            outcomes: list[Outcome] = []
            until = time.monotonic() + 60 * (plan.minutes or inf)
            for number, some in enumerate(rounds(plan)):
                trial = Trial(servers, number % len(servers), bank, plan.lease)
                outcomes += await trial.of(some)
                tell(f"{len(outcomes)} of {plan.runs} runs")
                if time.monotonic() > until:
                    break
        return Findings.of(outcomes, bank.payments, await own_payments(engine), bank.requests)


def rounds(plan: Experiment) -> Iterator[list[Case]]:
    """Yield the cases of each round, which share a fault."""
    left: dict[Fault, Iterator[Case]] = {"kill": cases("kill"), "pause": cases("pause")}
    begun = 0
    number = 0
    while begun < plan.runs:
        number += 1
        fault: Fault = "pause" if number % plan.pauses == 0 else "kill"
        some = list(islice(left[fault], min(plan.at_once, plan.runs - begun)))
        begun += len(some)
        yield some


@dataclass(slots=True)
class Trial:
    """One round: the replica `victim` is lost with all runs that have begun there."""

    servers: list[Server]
    victim: int
    bank: Bank
    lease: float

    async def of(self, some: list[Case]) -> list[Outcome]:
        server = self.servers[self.victim]
        async with httpx.AsyncClient(headers=bearer(), timeout=STUCK_SECONDS) as http:
            begun = await asyncio.gather(*(self._begin(http, case) for case in some))
            await self._stand_still(some)
            if some[0].fault == "kill":
                server.send(signal.SIGKILL)
                await server.gone(5)
                server.start()
            else:
                server.send(signal.SIGSTOP)
                await asyncio.sleep(2.5 * self.lease)
                server.send(signal.SIGCONT)
                await asyncio.sleep(2.5 * self.lease)  # who looks at the bank at once sees what is under way
            outcomes = await asyncio.gather(
                *(self._followed(http, case, run_id) for case, run_id in zip(some, begun, strict=True))
            )
            await server.ready("/readyz")
        return list(outcomes)

    async def _stand_still(self, some: list[Case]) -> None:
        """Return when all stand still that will: a busy machine may lose one before, as a fault does."""
        until = time.monotonic() + HELD_SECONDS
        while time.monotonic() < until and not self.bank.held.issuperset(case.id for case in some):
            await asyncio.sleep(LOOK_EVERY)

    async def _begin(self, http: httpx.AsyncClient, case: Case) -> str:
        """Return the id of a run that goes on by itself."""
        args = json.dumps({"case": case.id, "point": case.point, "fault": case.fault})
        body = {"query": f"[tool pay_{case.mode} {args}] [say Done.]", "runnable": case.entry}
        url = f"{self.servers[self.victim].url}/api/chat/stream"
        async with http.stream("POST", url, json=body) as response:
            return str(response.raise_for_status().headers["x-run-id"])

    async def _followed(self, http: httpx.AsyncClient, case: Case, run_id: str) -> Outcome:
        """Return what became of a run, and whether its thread goes on."""
        others = [server.url for number, server in enumerate(self.servers) if number != self.victim]
        other = others[hash(run_id) % len(others)]
        told: list[str] = []
        status = ""
        async with asyncio.timeout(STUCK_SECONDS):
            while not status:
                state = (await http.get(f"{other}/api/runs/{run_id}")).raise_for_status().json()
                if state["state"] == "waiting":
                    await self._decide(http, other, case, run_id)
                status = state["state"] if state["state"] in ENDED else ""
                await asyncio.sleep(LOOK_EVERY)
            url, headers = f"{other}/api/runs/{run_id}/stream", {"last-event-id": "-1"}
            async with http.stream("GET", url, headers=headers) as replay:
                told += [event.type async for event in events(replay.raise_for_status().aiter_bytes())]
            again = await http.post(
                f"{other}/api/chat",
                json={"query": "[say Hello.]", "thread_id": state["thread_id"], "runnable": case.entry},
            )
        held = case.id in self.bank.held
        return Outcome(case, held, status, "unknown" in told, "restart" in told, again.status_code)

    async def _decide(self, http: httpx.AsyncClient, url: str, case: Case, run_id: str) -> None:
        """Do as a person does who is asked whether a payment was made: look at the bank, and say so."""
        listed = await http.get(f"{url}/api/approvals", params={"run_id": run_id, "status": "pending"})
        for asked in listed.raise_for_status().json()["approvals"]:
            happened = self.bank.payments[case.id] > 0
            decision = {"decision": "happened", "result": "paid"} if happened else {"decision": "run_again"}
            decided = await http.post(
                f"{url}/api/approvals/{asked['id']}/decision", json={**decision, "digest": asked["digest"]}
            )
            decided.raise_for_status()


@asynccontextmanager
async def running(plan: Experiment, folder: Path, database_url: str) -> AsyncIterator[list[Server]]:
    """Yield replicas that are ready; end them and their Redis afterwards."""
    store = redis_server(folder)
    settings = {
        "REDIS_URL": f"redis://127.0.0.1:{store.port}/0", "RUN_LEASE": str(plan.lease),
        "DATABASE_URL": database_url, "REGISTRY": "tests.chaos.effects.served:REGISTRY",
        "DISCONNECT_GRACE": "300", "MAX_ATTEMPTS": "5",
    }  # fmt: skip
    servers = [gatehouse_server(f"replica-{index}", folder, settings) for index in range(plan.replicas)]
    try:
        store.start()
        await redis_ready(store)
        await migrate(folder, settings)
        for server in servers:
            server.start()
        await asyncio.gather(*(server.ready("/readyz") for server in servers))
        yield servers
    finally:
        for server in servers:
            server.kill()
        await store.stop()


@asynccontextmanager
async def payments_in(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Yield the servers' database, with a table of payments of its own."""
    engine = open_engine(database_url)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE chaos_payments (case_id text, effect_key text)"))
    yield engine
    await engine.dispose()


async def own_payments(engine: AsyncEngine) -> dict[str, int]:
    """Return how many payments there are in the servers' own database, by case."""
    async with engine.connect() as connection:
        rows = await connection.execute(
            text("SELECT case_id, count(*) AS made FROM chaos_payments GROUP BY case_id")
        )
        return {row.case_id: row.made for row in rows}
