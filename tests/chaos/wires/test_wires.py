"""The wires while replicas are killed and paused: an answer is right, is read on, or its end is told."""

import asyncio
import random
from collections import Counter
from itertools import islice
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from bench.processes import bearer
from tests.chaos.replicas import faults, running_replicas
from tests.chaos.wires.viewers import Chat, Mcp, Responses, UiStream, Wire, follow
from tests.postgres_databases import empty_database

SEED, EACH, TOKENS, LEASE = 3, 6, 120, 1.5
QUESTION = f"[delay 0.03] [tokens {TOKENS}]"
ANSWER = " ".join(f"t{number}" for number in range(1, TOKENS + 1))


@pytest.mark.usefixtures("_forked_servers")
@pytest.mark.requirement("wires.chaos")
async def test_an_answer_is_right_or_its_end_is_told(tmp_path: Path, postgres_url: str) -> None:
    rng = random.Random(SEED)
    made: list[Wire] = [
        wire(QUESTION, ANSWER, UUID(int=rng.getrandbits(128)))
        for wire in (Responses, UiStream, Chat, Mcp)
        for _ in range(EACH)
    ]
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with (
        empty_database(postgres_url) as database_url,
        running_replicas(tmp_path, 3, LEASE, {"DATABASE_URL": database_url, "MAX_ATTEMPTS": "6"}) as replicas,
        httpx.AsyncClient(headers=bearer(), limits=limits) as http,
    ):
        planned = islice(faults(random.Random(f"{SEED} faults"), (0.5, 1.5), LEASE), 3)
        suffering = asyncio.create_task(replicas.disturb(planned, random.Random(f"{SEED} who")))
        async with asyncio.TaskGroup() as group:
            for number, wire in enumerate(made):
                group.create_task(follow(http, replicas.urls, wire, random.Random(f"{SEED} {number}")))
        await suffering
    assert [(type(wire).__name__, fault) for wire in made for fault in wire.faults] == []
    outcomes = Counter((type(wire).__name__, wire.outcome) for wire in made)
    assert outcomes["Responses", "answered"] == outcomes["UiStream", "answered"] == EACH, outcomes
    assert any(isinstance(wire, Responses) and wire.attempts > 1 for wire in made), outcomes
    assert {wire.outcome for wire in made} <= {"answered", "told", "cut"}
