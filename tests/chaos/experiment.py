"""Runs, replicas and faults put together: the one function that the program and the test call."""

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import httpx

from bench.processes import bearer
from tests.chaos.findings import Findings
from tests.chaos.recovery import Recovery
from tests.chaos.replicas import Fault, Replicas, faults, running_replicas
from tests.chaos.viewer import Question, Story, Viewer


@dataclass(frozen=True, slots=True)
class Experiment:
    """Times in seconds. `most_faults` bounds the kills and pauses; None is as many as come."""

    seed: int = 1
    runs: int = 600
    tokens: int = 200
    delay: float = 0.02
    concurrency: int = 40
    replicas: int = 3
    lease: float = 2.0
    max_attempts: int = 5
    log_length: int = 100  # shorter than a run, so that a client that was away is told of a gap
    every: tuple[float, float] = (4.0, 10.0)
    most_faults: int | None = None


async def conduct(plan: Experiment, folder: Path, database_url: str, tell: Callable[[str], None]) -> Findings:
    """Return what was found. Servers keep their logs in `folder`; `tell` is given lines of progress."""
    settings = {
        "DATABASE_URL": database_url,
        "MAX_ATTEMPTS": str(plan.max_attempts),
        "LOG_LENGTH": str(plan.log_length),
    }
    async with running_replicas(folder, plan.replicas, plan.lease, settings) as replicas:
        recovery = Recovery(replicas.redis, replicas.known)
        began = time.monotonic()
        stories = await disturbed(plan, replicas, recovery, tell)
        return Findings.of(stories, replicas, recovery, time.monotonic() - began)


async def disturbed(
    plan: Experiment, replicas: Replicas, recovery: Recovery, tell: Callable[[str], None]
) -> list[Story]:
    """Return the stories of all runs, made while the replicas suffer."""
    watching = asyncio.create_task(recovery.watch())
    suffering = asyncio.create_task(replicas.disturb(schedule(plan), random.Random(f"{plan.seed} who")))
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    try:
        async with httpx.AsyncClient(headers=bearer(), limits=limits) as http:
            return await followed(plan, http, replicas, recovery, tell)
    finally:
        for task in (suffering, watching):
            task.cancel()
        ended = await asyncio.gather(suffering, watching, return_exceptions=True)
        for result in ended:
            if isinstance(result, Exception):  # a watch that broke or a replica that did not come back
                raise result


def schedule(plan: Experiment) -> Iterator[Fault]:
    rng = random.Random(f"{plan.seed} faults")
    return islice(faults(rng, plan.every, plan.lease), plan.most_faults)


async def followed(
    plan: Experiment,
    http: httpx.AsyncClient,
    replicas: Replicas,
    recovery: Recovery,
    tell: Callable[[str], None],
) -> list[Story]:
    """Return the stories of all runs, of which `concurrency` go on at once."""
    free = asyncio.Semaphore(plan.concurrency)
    question = Question(plan.tokens, plan.delay)
    stories: list[Story] = []

    async def one(number: int) -> None:
        async with free:
            rng = random.Random(f"{plan.seed} run {number}")
            stories.append(await Viewer(http, replicas.urls, question, rng, recovery).follow())
        if len(stories) % 50 == 0:
            tell(f"{len(stories)} of {plan.runs} runs, {sum(replicas.counts.values())} faults")

    async with asyncio.TaskGroup() as group:
        for number in range(plan.runs):
            group.create_task(one(number))
    return stories
