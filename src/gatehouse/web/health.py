"""Probes: is the process alive, can it serve."""

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gatehouse.problems.draining import Restarting
from gatehouse.problems.errors import Unavailable
from gatehouse.services import services_of
from gatehouse.storage.database import ANSWER_SECONDS
from gatehouse.storage.redis.cluster.client import ClusterRedis
from gatehouse.storage.schema import schemas_of, why_not_ready

READY = "gh:ready"  # written to see whether it can be: a replica, and a full Redis, answer to a PING
READY_MS = 60_000

router = APIRouter(tags=["health"])


@router.get("/livez", summary="Is the process alive?")
async def livez() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/readyz", summary="Can it serve?", responses=Unavailable.schema())
async def readyz(request: Request) -> dict[str, Any]:
    """Answer 200 when the database, Redis and the issuer's keys can be used, else 503 with what can't.
    A process that was told to end answers 503 too, while it still serves.

    `left_alone` names the models that are not asked for now, because they failed: what uses none of them is
    served all the same, so that is no reason not to be ready. Keys that were fetched once are enough: an
    issuer that is down later does not take every replica away.
    """
    services = services_of(request)
    if services.runs.drain.leaving:
        raise Restarting
    if await why_not_ready(services.engine, schemas_of(services.settings)):
        raise Unavailable("The database cannot be used.")
    try:
        await write_to(services.redis, services.runs.owner)
    except (RedisError, OSError):  # TimeoutError among them
        raise Unavailable("Redis cannot be reached, or takes no writes.") from None
    if not services.authenticator.tokens.ready:
        raise Unavailable("The issuer's keys were not fetched yet.")
    alone = services.model.left_alone()
    return {"status": "ok", "model": services.model.label, **({"left_alone": alone} if alone else {})}


async def write_to(redis: Redis, owner: str) -> None:
    """Return when Redis has taken a write, of a cluster one of its servers. Raises RedisError, OSError.

    Where one server of a cluster is away, what the others have is served: no replica is to be taken away.
    """
    if isinstance(redis, ClusterRedis):
        await redis.write_somewhere(ANSWER_SECONDS, READY, owner, READY_MS)
        return
    async with asyncio.timeout(ANSWER_SECONDS):
        await redis.set(READY, owner, px=READY_MS)
