"""All limits of a server together."""

from collections.abc import Mapping
from dataclasses import dataclass

from redis.asyncio import Redis

from app.limits.holds import Holds
from app.limits.limiter import Limiter
from app.limits.plans import Plan, Plans, WithoutRedis
from app.limits.signins import SignIns
from app.limits.streams import OpenStreams


@dataclass(frozen=True, slots=True)
class Limits:
    """What callers are held to."""

    limiter: Limiter
    streams: OpenStreams
    signins: SignIns


def limits_of(
    redis: Redis, holds: Holds, plans: Mapping[str, Plan], without_redis: WithoutRedis, failures: int
) -> Limits:
    """Return the limits that these plans make; `failures` are the sign-ins that an address may fail."""
    known = Plans(plans)
    limiter = Limiter(redis, known, holds, without_redis)
    return Limits(limiter, OpenStreams(known), SignIns(redis, failures))
