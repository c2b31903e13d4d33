"""Callers, and processes that limit them."""

from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis

from gatehouse.identity.principal import Principal
from gatehouse.limits.admission import Admission
from gatehouse.limits.limiter import Limiter
from gatehouse.limits.refusal import LimitReached
from gatehouse.limits.reservations import Reservation, Reservations
from gatehouse.limits.scripts import SETTLE
from gatehouse.limits.standing import Standing
from gatehouse.settings.plans import DEFAULT, Plan, Plans


def caller(user: str = "alice", tenant: str = "acme", plan: str | None = None) -> Principal:
    return Principal(tenant, user, user.title(), frozenset({"*"}), "jwt", f"token of {user}", plan=plan)


ALICE, ANNA, BOB = caller(), caller("anna"), caller("bob", "beta")


def plans(**limits: Any) -> dict[str, Plan]:
    return {DEFAULT: Plan(**limits)}


class Process:
    """One replica: its limiter and its holds."""

    def __init__(self, redis: Redis, named: Mapping[str, Plan], lease: float = 30) -> None:
        self.redis = redis
        self.reservations = Reservations(redis, lease)
        self.limiter = Limiter(redis, Plans(named), self.reservations, "refuse")

    def admission(self, principal: Principal = ALICE) -> Admission:
        return Admission(self.limiter, principal)

    async def request(self, principal: Principal = ALICE) -> LimitReached | None:
        """Make a request, and return what refused it."""
        return (await self.limiter.admit(principal, 1)).refusal

    async def requests(self, count: int, principal: Principal = ALICE) -> int:
        """Return how many of so many requests were served."""
        return sum([await self.request(principal) is None for _ in range(count)])

    async def settle(self, hold: Reservation, used: int, principal: Principal = ALICE) -> None:
        """Give back what a run held that used so many tokens, as the script that ends it does."""
        keys, arguments = await self.reservations.settlement(principal, hold, used)
        script = SETTLE + "settle(KEYS, ARGV[1], ARGV[2], ARGV[3])"
        await self.redis.eval(script, len(keys), *keys, *arguments)

    async def left(self, name: str, principal: Principal = ALICE) -> int:
        """Return what is left of a limit."""
        return {limit.name: limit.remaining for limit in (await self.standing(principal)).limits()}[name]

    async def standing(self, principal: Principal = ALICE) -> Standing:
        standing = await self.limiter.look(principal)
        assert standing is not None
        return standing
