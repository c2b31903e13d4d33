"""Streams over a Redis Cluster while its servers die, change places, and slots move from one to another."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.processes import Server, bearer, gatehouse_server, migrate
from gatehouse.storage.redis.slots import TAGS, slot_of
from tests.chaos.cluster.findings import Findings
from tests.chaos.outages.leftovers import held
from tests.chaos.viewer import Question, Story, Viewer
from tests.live_cluster import Cluster, ClusterServer, running_cluster

SETTLED_SECONDS = 60.0  # after which nobody holds a place in the limits that ended


@dataclass(frozen=True, slots=True)
class ClusterFaults:
    """`streams` at once, of `tokens` each, all through `rounds` of a failover, a kill and a resharding. Seconds."""

    seed: int = 1
    streams: int = 200
    tokens: int = 200
    delay: float = 0.25
    replicas: int = 3
    lease: float = 5.0
    rounds: int = 2
    between: float = 6.0


async def conduct(
    plan: ClusterFaults, folder: Path, database_url: str, tell: Callable[[str], None]
) -> Findings:
    """Return what was found. Servers keep their logs in `folder`; `tell` is given lines of progress."""
    with running_cluster(folder / "cluster") as cluster:
        settings = {
            "REDIS_URL": cluster.url,
            "DATABASE_URL": database_url,
            "RUN_LEASE": str(plan.lease),
            "MAX_ATTEMPTS": "5",
        }
        servers = [gatehouse_server(f"replica-{number}", folder, settings) for number in range(plan.replicas)]
        await migrate(folder, settings)
        try:
            for server in servers:
                server.start()
            await asyncio.gather(*(server.ready("/readyz") for server in servers))
            return await watched(plan, cluster, servers, tell)
        finally:
            for server in servers:
                server.kill()


async def watched(
    plan: ClusterFaults, cluster: Cluster, servers: list[Server], tell: Callable[[str], None]
) -> Findings:
    """Follow streams until all faults have come and every run has ended; then look what is left."""
    began = time.monotonic()
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    over = asyncio.Event()
    stories: list[Story] = []
    async with httpx.AsyncClient(headers=bearer(), limits=limits) as http:
        urls = [server.url for server in servers]

        async def stream(number: int) -> None:
            rng = random.Random(f"{plan.seed} stream {number}")
            await asyncio.sleep(rng.uniform(0, 3))
            while True:
                question = Question(plan.tokens, plan.delay, may_be_lost=True)
                stories.append(await Viewer(http, urls, question, rng).follow())
                if over.is_set():
                    return

        async with asyncio.TaskGroup() as group:
            for number in range(plan.streams):
                group.create_task(stream(number))
            counts = await disturbed(plan, cluster, tell)
            over.set()
        places = await left_over(http, urls[0])
    logs = [server.log.read_text(errors="replace") for server in servers]
    errors = sum(log.count('"level": "error"') for log in logs)
    return Findings.of(stories, counts, places, errors, time.monotonic() - began)


async def disturbed(plan: ClusterFaults, cluster: Cluster, tell: Callable[[str], None]) -> Mapping[str, int]:
    """Do all that is planned to the cluster, and return how often what was done."""
    rng = random.Random(f"{plan.seed} faults")
    counts: Counter[str] = Counter()
    for _ in range(plan.rounds):
        for fault in (fail_over, kill, reshard):
            await asyncio.sleep(plan.between)
            counts[fault.__name__] += await asyncio.to_thread(fault, cluster, rng)
            tell(f"{fault.__name__.replace('_', ' ')}: {dict(counts)}")
            await asyncio.to_thread(cluster.wait)
    await asyncio.sleep(plan.between)
    return counts


def primaries(cluster: Cluster) -> list[ClusterServer]:
    return [server for server in cluster.servers if server.is_primary]


def fail_over(cluster: Cluster, rng: random.Random) -> int:
    """Have a replica take its primary's place, in order."""
    primary = rng.choice(primaries(cluster))
    cluster.replica_of(primary).say("CLUSTER FAILOVER")
    while primary.is_primary:
        time.sleep(0.05)
    return 1


def kill(cluster: Cluster, rng: random.Random) -> int:
    """Kill a primary with `kill -9`, and start it again when its replica has taken its place."""
    primary = rng.choice(primaries(cluster))
    replica = cluster.replica_of(primary)
    primary.kill()
    while not replica.is_primary:
        time.sleep(0.05)
    primary.start()
    return 1


def reshard(cluster: Cluster, rng: random.Random) -> int:
    """Move a third of the slots in which runs are from one primary to another, key by key."""
    source, target = rng.sample(primaries(cluster), 2)
    mine = [
        slot for slot in map(slot_of, (f"{{{tag}}}" for tag in TAGS)) if cluster.primary_of(slot) is source
    ]
    moved = mine[: max(1, len(mine) // 3)]
    for slot in moved:
        with cluster.moving(slot, target):
            pass
    return len(moved)


async def left_over(http: httpx.AsyncClient, url: str) -> int:
    """Return how many places in the limits are still held when all runs have ended."""
    until = time.monotonic() + SETTLED_SECONDS
    while places := await held(http, url):
        if time.monotonic() > until:
            return places
        await asyncio.sleep(0.5)
    return 0
