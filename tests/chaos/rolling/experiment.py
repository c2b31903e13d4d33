"""A rolling update, a crash, and stores that go away, under streams and new requests."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import httpx

from bench.processes import bearer
from tests.chaos.rolling.askers import Asker, SocketAsker, Stage, Told, TypedAsker
from tests.chaos.rolling.findings import Findings
from tests.chaos.rolling.fleet import Fleet, running_fleet
from tests.chaos.rolling.langserve_asker import LangServeAsker
from tests.chaos.rolling.newcomers import Newcomers
from tests.chaos.viewer import Question

TRANSPORTS: tuple[type[Asker], ...] = (TypedAsker, SocketAsker, LangServeAsker)
RECOVERY_SECONDS = 60.0
LAST_SECONDS = 120.0  # in which every stream that was begun has ended


@dataclass(frozen=True, slots=True)
class Rolling:
    """Times in seconds. LangServe's answers are short enough to end within the drain; the others are not."""

    streams: int = 200
    tokens: int = 240
    langserve_tokens: int = 80
    delay: float = 0.1
    replicas: int = 3
    rolled: int = 3
    newcomer_every: float = 0.1
    opened_every: float = 0.02
    drain_delay: float = 2.0
    drain_seconds: float = 12.0
    lease: float = 2.0
    freeze: float = 10.0
    calm: float = 5.0

    @property
    def settings(self) -> dict[str, str]:
        return {
            "DRAIN_DELAY": str(self.drain_delay),
            "DRAIN_SECONDS": str(self.drain_seconds),
            "RUN_LEASE": str(self.lease),
            "START_WAIT": "30",
        }


async def conduct(plan: Rolling, folder: Path, tell: Callable[[str], None]) -> Findings:
    """Return what was found. The servers keep their logs in `folder`. Raises NoPostgres."""
    began = time.monotonic()
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with (
        running_fleet(folder, plan.replicas, plan.settings, tell) as fleet,
        httpx.AsyncClient(headers=bearer(), limits=limits, timeout=40) as http,
    ):
        stage = Stage()
        newcomers = Newcomers(http, fleet.edge.url, stage, plan.newcomer_every)
        told: list[Told] = []
        recovered: dict[str, float] = {}
        async with asyncio.TaskGroup() as group:
            group.create_task(newcomers.come())
            asking = group.create_task(ask_all(plan, http, fleet.edge.url, stage, told))
            try:
                await asyncio.sleep(plan.streams * plan.opened_every + plan.calm)
                for name, fault in faults(plan, fleet):
                    tell(f"{time.monotonic() - began:.0f} s: {name}; {len(told)} answers so far")
                    recovered[name] = await suffered(name, fault, stage, newcomers)
                    await asyncio.sleep(plan.calm)
            finally:
                stage.phase, stage.asking = "the end", False
            async with asyncio.timeout(LAST_SECONDS):
                await asking
        return Findings.of(told, newcomers, recovered, fleet, time.monotonic() - began)


def faults(plan: Rolling, fleet: Fleet) -> list[tuple[str, Callable[[], Awaitable[None]]]]:
    """Return what is done to the fleet, by name, in this order."""

    async def roll() -> None:
        for old in fleet.routed[: plan.rolled]:
            await fleet.roll(old)

    return [
        ("rolling update", roll),
        ("kill -9", fleet.kill),
        ("Redis restarted", fleet.restart_redis),
        ("PostgreSQL restarted", fleet.restart_postgres),
        (f"Redis frozen for {plan.freeze:.0f} s", lambda: fleet.freeze_redis(plan.freeze)),
    ]


async def suffered(
    name: str, fault: Callable[[], Awaitable[None]], stage: Stage, newcomers: Newcomers
) -> float:
    """Do it, and return how many seconds after its end all new requests are served again."""
    stage.phase = name
    await fault()
    seconds = await newcomers.served(RECOVERY_SECONDS)
    stage.phase = "calm"
    return seconds


async def ask_all(plan: Rolling, http: httpx.AsyncClient, url: str, stage: Stage, told: list[Told]) -> None:
    """Keep so many clients of all transports asking, and gather what they were told."""

    async def one(kind: type[Asker]) -> None:
        tokens = plan.langserve_tokens if kind is LangServeAsker else plan.tokens
        async for answer in kind(http, url, Question(tokens, plan.delay), stage).answers():
            told.append(answer)

    async with asyncio.TaskGroup() as group:
        for kind in islice(cycle(TRANSPORTS), plan.streams):
            group.create_task(one(kind))
            await asyncio.sleep(plan.opened_every)
