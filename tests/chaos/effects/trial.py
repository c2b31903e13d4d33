"""One round: runs begin and stand still, each at its point; then a fault, and what becomes of them."""

import asyncio
import json
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.processes import Server, bearer, redis_ready
from tests.chaos.effects.bank import Bank
from tests.chaos.effects.cases import Case, Fault
from tests.chaos.effects.findings import Outcome
from tests.chaos.effects.people import SAID, Asked, People, contradictions
from tests.chaos.events import events

STUCK_SECONDS = 120
HELD_SECONDS = 60
ENDED = ("completed", "failed", "cancelled")
LOOK_EVERY = 1.5  # seconds: of many runs at once
HELD_POLL = 0.1  # of what the bank knows, which is this process


@dataclass(frozen=True, slots=True)
class Replicas:
    """The processes that serve, and the Redis that they share."""

    servers: Sequence[Server]
    redis: Server


@dataclass(slots=True)
class Trial:
    """One round. Runs begin at the replica `victim`; people decide there and at the next one, and both are lost."""

    replicas: Replicas
    victim: int
    bank: Bank
    engine: AsyncEngine
    lease: float

    async def of(self, some: list[Case]) -> list[Outcome]:
        async with httpx.AsyncClient(headers=bearer(), timeout=STUCK_SECONDS) as http:
            if some[0].entry == "asked":
                outcomes = await self._asked(http, some)
            else:
                outcomes = await self._unasked(http, some)
        await asyncio.gather(*(server.ready("/readyz") for server in self.replicas.servers))
        return outcomes

    async def _unasked(self, http: httpx.AsyncClient, some: list[Case]) -> list[Outcome]:
        self.bank.to_lose = frozenset([self._server(0).name])
        run_ids = await asyncio.gather(*(self._begin(http, case) for case in some))
        runs = [Asked(run_id) for run_id in run_ids]
        await self._stand_still([*zip(some, runs, strict=True)])
        await self._fault(some[0].fault, [self._server(0)])
        others = [self._server(1).url, self._server(2).url]
        if some[0].vanishes:
            looking = [
                self._vanished(http, others[0], case, run) for case, run in zip(some, runs, strict=True)
            ]
            return list(await asyncio.gather(*looking))
        following = [
            self._followed(http, others[number % 2], case, run)
            for number, (case, run) in enumerate(zip(some, runs, strict=True))
        ]
        return list(await asyncio.gather(*following))

    async def _asked(self, http: httpx.AsyncClient, some: list[Case]) -> list[Outcome]:
        here, there, elsewhere = (self._server(number) for number in range(3))
        self.bank.to_lose = frozenset([here.name, there.name])
        waiting = await asyncio.gather(*(self._ask(http, case) for case in some))
        if some[0].fault == "Redis lost":
            await self._lose_redis()
        people = People(http, here.url, there.url, self.engine)
        saying: list[asyncio.Task[None]] = []
        # those that are to be lost before they go on come last: others would find what is decided, and go on
        for last in (False, True):
            wave = [
                (case, asked)
                for case, asked in zip(some, waiting, strict=True)
                if (case.point == "before going on") is last
            ]
            saying += [asyncio.create_task(people.say(case, asked)) for case, asked in wave]
            await self._stand_still(wave)
        if some[0].fault == "Redis lost":  # while they waited: nothing is lost a second time
            self.bank.to_lose = frozenset()
        else:
            await self._fault(some[0].fault, [here, there])
        await asyncio.gather(*saying)
        hearing = [
            self._heard(people, elsewhere.url, case, asked) for case, asked in zip(some, waiting, strict=True)
        ]
        return list(await asyncio.gather(*hearing))

    def _server(self, number: int) -> Server:
        servers = self.replicas.servers
        return servers[(self.victim + number) % len(servers)]

    async def _begin(self, http: httpx.AsyncClient, case: Case) -> str:
        """Return the id of a run that goes on by itself."""
        async with http.stream(
            "POST", f"{self._server(0).url}/api/chat/stream", json=question(case)
        ) as response:
            return str(response.raise_for_status().headers["x-run-id"])

    async def _ask(self, http: httpx.AsyncClient, case: Case) -> Asked:
        """Return what a run waits for."""
        answer = await http.post(f"{self._server(0).url}/api/chat", json=question(case))
        waits = answer.raise_for_status().json()
        [approval] = waits["approvals"]
        return Asked(waits["run_id"], approval)

    async def _stand_still(self, some: Sequence[tuple[Case, Asked]]) -> None:
        """Return when all stand still that will: a busy machine may lose one before, as a fault does."""
        until = time.monotonic() + HELD_SECONDS
        while time.monotonic() < until and not all(self._is_still(case, run) for case, run in some):
            await asyncio.sleep(HELD_POLL)

    def _is_still(self, case: Case, run: Asked) -> bool:
        """Tell whether a run stands still, or will not: not every one is approved, and a cancelled one is stopped."""
        if case.id in self.bank.held:
            return True
        decided = bool(case.word) and len(run.answers) >= SAID[case.word]
        return decided and (case.point == "while it waits" or case.word == "cancelled" or not run.approved)

    async def _fault(self, fault: Fault, victims: Sequence[Server]) -> None:
        self.bank.to_lose = frozenset()
        if fault == "kill":
            for server in victims:
                server.send(signal.SIGKILL)
            for server in victims:
                await server.gone(5)
                server.start()
        elif fault == "Redis lost":
            for server in victims:
                server.send(signal.SIGKILL)
            await self._lose_redis(those=[one for one in self.replicas.servers if one not in victims])
            for server in victims:
                await server.gone(5)
                server.start()
        elif fault == "pause":
            for number in (signal.SIGSTOP, signal.SIGCONT):
                for server in victims:
                    server.send(number)
                await asyncio.sleep(2.5 * self.lease)  # who looks at the bank at once sees what is under way

    async def _lose_redis(self, those: Sequence[Server] | None = None) -> None:
        """Have a Redis come back that knows nothing any more, for those of the replicas that live."""
        self.replicas.redis.kill()
        self.replicas.redis.start()
        await redis_ready(self.replicas.redis)
        living = self.replicas.servers if those is None else those
        await asyncio.gather(*(server.ready("/readyz") for server in living))

    async def _vanished(self, http: httpx.AsyncClient, url: str, case: Case, run: Asked) -> Outcome:
        """Return what is left of a run that nobody knows any more, when people were asked or need not be."""
        known, asked = 0, False
        wanted = case.left[1] or case.id not in self.bank.held
        until = time.monotonic() + (STUCK_SECONDS if wanted else 0)
        while True:
            known = (await http.get(f"{url}/api/runs/{run.run_id}")).status_code
            listed = await http.get(
                f"{url}/api/approvals", params={"run_id": run.run_id, "status": "pending"}
            )
            asked = any(one["kind"] == "effect" for one in listed.raise_for_status().json()["approvals"])
            if asked or time.monotonic() > until:
                break
            await asyncio.sleep(LOOK_EVERY)
        return Outcome(
            case=case,
            held=case.id in self.bank.held,
            status="vanished" if known == httpx.codes.NOT_FOUND else "known",
            unknown=asked,
            restarted=False,
            thread=httpx.codes.OK,
        )

    async def _heard(self, people: People, url: str, case: Case, asked: Asked) -> Outcome:
        """Decide once more, as one does who has heard nothing, and return what became of the run."""
        await people.decide(asked, "approve", url)
        return await self._followed(people.http, url, case, asked)

    async def _followed(self, http: httpx.AsyncClient, url: str, case: Case, run: Asked) -> Outcome:
        """Return what became of a run, and whether its thread goes on."""
        told: list[str] = []
        status, again = "stuck", 0
        with suppress(TimeoutError):
            async with asyncio.timeout(STUCK_SECONDS):
                state = await self._ended(http, url, case, run.run_id)
                status = state["state"]
                replay = f"{url}/api/runs/{run.run_id}/stream"
                async with http.stream("GET", replay, headers={"last-event-id": "-1"}) as stream:
                    told += [event.type async for event in events(stream.raise_for_status().aiter_bytes())]
                next_one = {**question(case), "query": "[say Hello.]", "thread_id": state["thread_id"]}
                again = (await http.post(f"{url}/api/chat", json=next_one)).status_code
        return Outcome(
            case=case,
            held=case.id in self.bank.held,
            status=status,
            unknown="unknown" in told,
            restarted="restart" in told,
            thread=again,
            approval=await self._approval(http, url, run),
            contradictions=contradictions(run.answers),
        )

    async def _ended(self, http: httpx.AsyncClient, url: str, case: Case, run_id: str) -> dict[str, Any]:
        """Return a run when it has ended; a person looks whenever it waits for one. Raises TimeoutError."""
        while True:
            answer = await http.get(f"{url}/api/runs/{run_id}")
            state: dict[str, Any] = answer.raise_for_status().json()
            if state["state"] in ENDED:
                return state
            if state["state"] == "waiting":
                await self._look(http, url, case, run_id)
            await asyncio.sleep(LOOK_EVERY)

    async def _look(self, http: httpx.AsyncClient, url: str, case: Case, run_id: str) -> None:
        """Do as a person does who is asked whether a payment was made: look at the bank, and say so."""
        listed = await http.get(f"{url}/api/approvals", params={"run_id": run_id, "status": "pending"})
        for asked in listed.raise_for_status().json()["approvals"]:
            if asked["kind"] != "effect":
                continue
            happened = self.bank.payments[case.id] > 0
            decision = {"decision": "happened", "result": "paid"} if happened else {"decision": "run_again"}
            decided = await http.post(
                f"{url}/api/approvals/{asked['id']}/decision", json={**decision, "digest": asked["digest"]}
            )
            decided.raise_for_status()

    async def _approval(self, http: httpx.AsyncClient, url: str, run: Asked) -> str:
        """Return what became of the approval, empty of a payment that nobody was asked about."""
        if not run.approval:
            return ""
        answer = await http.get(f"{url}/api/approvals/{run.approval['id']}")
        return str(answer.raise_for_status().json()["status"])


def question(case: Case) -> dict[str, Any]:
    args = json.dumps({"case": case.id, "point": case.point, "fault": case.fault})
    return {"query": f"[tool pay_{case.mode} {args}] [say Done.]", "runnable": case.entry}
