"""All limits of a server together."""

from collections.abc import Mapping
from dataclasses import dataclass

from redis.asyncio import Redis

from gatehouse.limits.held_bytes import HeldBytes
from gatehouse.limits.limiter import Limiter
from gatehouse.limits.reservations import Reservations
from gatehouse.limits.signins import SignIns
from gatehouse.limits.streams import OpenStreams
from gatehouse.settings.plans import Plan, Plans, WithoutRedis


@dataclass(frozen=True, slots=True)
class Limits:
    """What callers are held to."""

    limiter: Limiter
    streams: OpenStreams
    held: HeldBytes
    signins: SignIns


def limits_of(
    redis: Redis,
    reservations: Reservations,
    plans: Mapping[str, Plan],
    without_redis: WithoutRedis,
    failures: int,
) -> Limits:
    """Return the limits that these plans make; `failures` are the sign-ins that an address may fail.

    Runs that are taken over are held to them too.
    """
    known = reservations.plans = Plans(plans)
    limiter = Limiter(redis, known, reservations, without_redis)
    return Limits(limiter, OpenStreams(known), HeldBytes(), SignIns(redis, failures))
