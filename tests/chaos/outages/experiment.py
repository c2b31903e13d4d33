"""Rounds: clients start runs, a fault comes, they read on to the end; then everything that is left is counted."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.processes import bearer
from gatehouse.storage.database import open_engine
from tests.chaos.outages.executions import noted
from tests.chaos.outages.faults import FAULTS, Fault
from tests.chaos.outages.findings import Findings, Left, Outcome, Round
from tests.chaos.outages.fleet import SMALL_PLAN, Fleet, running_fleet
from tests.chaos.outages.leavers import LEAVER, leave_again_and_again
from tests.chaos.outages.leftovers import checkpoints, empty_threads, held, messages, misplaced
from tests.chaos.viewer import Question, Story, Viewer
from tests.postgres_databases import superuser_url

TOKENS = 60
STUCK_SECONDS = 120
SETTLED_SECONDS = (
    60.0  # after which everything that was left behind has to be gone: twice the look at leftovers
)
REVIVED_SECONDS = 12.0  # after which a sweep would have found a run that nobody executes


@dataclass(frozen=True, slots=True)
class Outages:
    """Every fault hits `runs` runs in each of the rounds, and so many clients leave in each. Lease in seconds."""

    seed: int = 1
    rounds: int = 4
    runs: int = 64
    leavers: int = 100
    replicas: int = 3
    lease: float = 3.0
    faults: tuple[Fault, ...] = FAULTS


async def conduct(plan: Outages, folder: Path, tell: Callable[[str], None]) -> Findings:
    """Return what was found. Servers keep their logs in `folder`; `tell` is given lines of progress."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with running_fleet(folder, plan.replicas, plan.lease) as fleet:
        database = open_engine(superuser_url(fleet.postgres.url, fleet.database_url))
        async with httpx.AsyncClient(headers=bearer(), limits=limits) as http:
            trial = Trial(plan, fleet, http, database)
            rounds = []
            for number in range(plan.rounds):
                for fault in plan.faults:
                    rounds.append(await trial.of(fault, f"{number}-{plan.faults.index(fault)}"))
                    tell(rounds[-1].line())
                await trial.leave(f"{number}")
            found = Findings.of(rounds, trial.left, noted(folder), await trial.checkpoints_left(rounds))
        await database.dispose()
        return found


@dataclass(slots=True)
class Trial:
    """The rounds over one fleet. `database` is its PostgreSQL as one sees it who sees all tenants' rows."""

    plan: Outages
    fleet: Fleet
    http: httpx.AsyncClient
    database: AsyncEngine
    left: list[Left] = field(default_factory=list)

    async def of(self, fault: Fault, name: str) -> Round:
        """Return what became of the runs that one fault hit, when nothing goes on any more."""
        rng = random.Random(f"{self.plan.seed} {name}")
        await self.fleet.copied()
        began = time.time()
        acting = asyncio.create_task(fault.act(self.fleet, rng))
        cases = {f"{name}-{number}": number % 2 == 0 for number in range(self.plan.runs)}  # who pays
        stories = await asyncio.gather(*(self._followed(fault, *case) for case in cases.items()))
        await acting
        outcomes = [
            Outcome(*case, story, await self._decided(story))
            for case, story in zip(cases.items(), stories, strict=True)
        ]
        left_over = await self._settled(outcomes)
        executed = [one for one in noted(self.fleet.folder) if one.at >= began]
        return Round(fault, outcomes, executed, left_over, time.time() - began)

    async def _followed(self, fault: Fault, case: str, paying: bool) -> Story:
        """Return the story of one run: of an agent that pays, or of a chain."""
        rng = random.Random(f"{self.plan.seed} run {case}")
        before = f'[tool pay {{"case": "{case}"}}]' if paying else f"case {case}"
        question = Question(
            TOKENS, fault.lasts / TOKENS, before, "agent" if paying else "chain", may_be_lost=fault.loses
        )
        await asyncio.sleep(rng.uniform(0, fault.spread))
        return await Viewer(self.http, self.fleet.urls, question, rng).follow()

    async def _decided(self, story: Story) -> str:
        """Return how the run ended: of one that waits for a person, after it was told what happened."""
        if story.live.status != "waiting":
            return story.live.status
        paid = any(one.run_id == story.run_id for one in noted(self.fleet.folder) if one.what == "acted")
        url = self.fleet.urls[0]
        listed = await self._asked("GET", f"{url}/api/approvals?run_id={story.run_id}&status=pending")
        for asked in listed["approvals"]:
            decision = {"decision": "happened", "result": "paid"} if paid else {"decision": "run_again"}
            path = f"{url}/api/approvals/{asked['id']}/decision"
            await self._asked("POST", path, {**decision, "digest": asked["digest"]})
        async with asyncio.timeout(STUCK_SECONDS):
            while (state := (await self._asked("GET", f"{url}/api/runs/{story.run_id}")))["state"] in (
                "running", "waiting",
            ):  # fmt: skip
                await asyncio.sleep(0.5)
        story.live.text = state["text"]
        return str(state["state"])

    async def _asked(self, method: str, url: str, body: Any = None) -> Any:
        answer = await self.http.request(method, url, json=body, timeout=30)
        return answer.raise_for_status().json()

    async def _settled(self, outcomes: list[Outcome]) -> list[str]:
        """Return what is left behind for too long: places in the limits, threads without their answers."""
        answers = {one.story.run_id: one.story.live.text for one in outcomes if one.status == "completed"}
        until = time.monotonic() + SETTLED_SECONDS
        while True:
            places = await held(self.http, self.fleet.urls[0])
            found = [f"{places} places in the limits are held by nobody"] if places else []
            found += misplaced(await messages(self.database), answers)
            found += [f"{thread} is empty" for thread in await empty_threads(self.database)]
            if not found or time.monotonic() > until:
                return found
            await asyncio.sleep(0.5)

    async def leave(self, name: str) -> None:
        """Have clients ask for runs and leave; note what was executed for them, and what they hold then."""
        rng = random.Random(f"{self.plan.seed} leavers {name}")
        began = time.time()
        gone = await leave_again_and_again(self.fleet.urls, self.plan.leavers, rng)
        async with httpx.AsyncClient(headers=bearer(LEAVER, plan=SMALL_PLAN), timeout=30) as http:
            until = gone + REVIVED_SECONDS
            while time.time() < until or (places := await held(http, self.fleet.urls[0])):
                if time.time() > until + SETTLED_SECONDS:
                    break
                await asyncio.sleep(0.5)
        executed = [one for one in noted(self.fleet.folder) if one.at >= began]
        self.left.append(Left(self.plan.leavers, executed, gone, places))

    async def checkpoints_left(self, rounds: list[Round]) -> set[str]:
        """Return the runs that have checkpoints for too long, but for those that Redis may have forgotten."""
        forgotten = {one.story.run_id for some in rounds if some.fault.loses for one in some.outcomes}
        until = time.monotonic() + SETTLED_SECONDS
        while found := await checkpoints(self.database) - forgotten:
            if time.monotonic() > until:
                return found
            await asyncio.sleep(1)
        return set()
