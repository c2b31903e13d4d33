"""Charges callers for what they ask, in one call to Redis."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog
from langchain_core.utils.uuid import uuid7
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gatehouse.background import outlasted
from gatehouse.identity.principal import Principal
from gatehouse.limits.keys import Counted
from gatehouse.limits.refusal import Limit, LimitReached, Whose
from gatehouse.limits.reservations import Reservation, Reservations
from gatehouse.limits.scripts import ADMIT
from gatehouse.limits.standing import Standing
from gatehouse.problems.errors import InvalidInput, Unavailable
from gatehouse.settings.plans import NamedPlan, Plans, WithoutRedis
from gatehouse.storage.redis.script import Script
from gatehouse.storage.redis.words import words_of

log = structlog.get_logger(__name__)

ANSWER_SECONDS = 2.0  # within which Redis must say whether a request may be served
RETRY_SECONDS = 5

LIMITS: tuple[Limit, ...] = ("requests", "runs", "tokens")
WHOSE: tuple[Whose, ...] = ("user", "tenant")


# Stores a run if there is room for it, given the keys and the text of `gatehouse.limits.scripts.ADMITTING`;
# returns what that returns, None when the run was undone before
Store = Callable[[Sequence[str], str], Awaitable[list[int] | None]]


class Admitted:
    """What a call to Redis came to: the standing after it (None: Redis is away), and what was taken."""

    __slots__ = ("refusal", "seats", "slots", "standing")

    def __init__(
        self,
        standing: Standing | None,
        refusal: LimitReached | None,
        seats: Sequence[Reservation] = (),
        slots: Sequence[Reservation] = (),
    ) -> None:
        self.standing = standing
        self.refusal = refusal
        self.seats = seats
        self.slots = slots


class Limiter:
    """The limits of every caller, exact over all replicas."""

    def __init__(
        self, redis: Redis, plans: Plans, reservations: Reservations, without_redis: WithoutRedis
    ) -> None:
        self.plans = plans
        self.reservations = reservations
        self._admit = Script(redis, ADMIT, ANSWER_SECONDS)
        self._without_redis = without_redis

    async def admit(
        self, principal: Principal, requests: int, runs: int = 0, at_once: int | None = None
    ) -> Admitted:
        """Charge for requests and take what `runs` runs need, all or nothing of the latter.

        One run has a slot of its own; a batch, of which `at_once` go on at a time, has so many for all.
        Raises Unavailable without Redis, unless the operator named it to be open then, and InvalidInput for
        more runs than can ever be admitted at once.
        """
        plan = self.plans.of(principal.plan)
        check_size(plan, requests)
        seats, slots = reservations_for(runs, at_once, plan.plan.tokens_reserved)
        keys = self.reservations.keys_of(principal)
        if not seats:
            answer = await self._ask(keys, plan, requests)
        else:
            answer = await self._taken(keys, plan, requests, seats, slots)
        if answer is None:
            return Admitted(None, None)
        refusal = refusal_of(answer)
        if refusal is None:
            for reservation in (*seats, *slots):
                self.reservations.keep(keys, reservation)
        else:
            seats, slots = [], []
        return Admitted(standing_of(plan, answer), refusal, seats, slots)

    def seat(self, principal: Principal) -> Reservation:
        """Return what one run of a principal is to hold."""
        [seat], _ = reservations_for(1, None, self.plans.of(principal.plan).plan.tokens_reserved)
        return seat

    async def begin(
        self, principal: Principal, requests: int, seat: Reservation, store: Store
    ) -> Admitted | None:
        """Charge for requests and take what one run holds, in the step that stores the run.

        None when the run was undone before. Raises what `store` raises, and InvalidInput.
        """
        plan, keys = self.plans.of(principal.plan), self.reservations.keys_of(principal)
        check_size(plan, requests)
        answer = await store((*keys.rates, *keys.runs), self._numbers(plan, requests, 1, 1))
        if answer is None:
            return None
        refusal = refusal_of(answer)
        if refusal is None:
            self.reservations.keep(keys, seat)
        return Admitted(standing_of(plan, answer), refusal)

    async def _taken(
        self,
        keys: Counted,
        plan: NamedPlan,
        requests: int,
        seats: Sequence[Reservation],
        slots: Sequence[Reservation],
    ) -> list[int] | None:
        """Ask for what runs need. What Redis may have given to a caller who is gone is given back."""
        wanted = (*seats, *slots)
        occupied = [reservation.slot for reservation in wanted if reservation.slot]
        asking = asyncio.ensure_future(self._ask(keys, plan, requests, slots=occupied, seats=seats))
        gone = await outlasted(asking)
        if gone or asking.exception() is not None or asking.result() is None:
            self.reservations.give_up(keys, wanted)
        if gone:
            raise asyncio.CancelledError
        return asking.result()

    async def look(self, principal: Principal) -> Standing | None:
        """Return what a principal may still use, and charge nothing; None when it is not known. Raises
        Unavailable."""
        plan = self.plans.of(principal.plan)
        answer = await self._ask(self.reservations.keys_of(principal), plan, 0, look=True)
        return standing_of(plan, answer) if answer else None

    async def _ask(
        self,
        keys: Counted,
        plan: NamedPlan,
        requests: int,
        slots: Sequence[str] = (),
        seats: Sequence[Reservation] = (),
        look: bool = False,
    ) -> list[int] | None:
        """Return the script's answer; None when Redis is away and that is to stop nobody."""
        runs = bool(slots or seats or look)
        numbers = self._numbers(plan, requests, len(slots), len(seats), look)
        try:
            answer: list[int] = await self._admit(
                (*keys.rates, *keys.runs) if runs else keys.rates,
                (numbers, *slots, *(reservation.member for reservation in seats)),
            )
        except (RedisError, OSError) as error:  # TimeoutError is an OSError
            log.warning(
                "limits cannot be counted",
                error=type(error).__name__,
                then=self._without_redis,
                **words_of(error),
            )
            if self._without_redis == "allow":
                return None
            raise Unavailable(
                f"Limits cannot be counted now. Try again in {RETRY_SECONDS} s.",
                headers={"retry-after": str(RETRY_SECONDS)},
            ) from error
        return answer

    def _numbers(self, plan: NamedPlan, requests: int, slots: int, seats: int, look: bool = False) -> str:
        """Return the text that `gatehouse.limits.scripts.ADMITTING` reads."""
        return f"{requests} {slots} {seats} {self.reservations.lease_ms} {int(look)} {plan.numbers}"


def check_size(plan: NamedPlan, requests: int) -> None:
    """Raise InvalidInput for more requests at once than the plan ever lets through."""
    most = min(plan.user.burst, plan.tenant.burst)
    if requests > most:
        raise InvalidInput(f"A batch of {requests} is more than your plan takes at once: {most}.")


def reservations_for(
    runs: int, at_once: int | None, tokens: int
) -> tuple[list[Reservation], list[Reservation]]:
    """Return the seats of so many runs, and the slots that they share when they are a batch."""
    names = [uuid7().hex for _ in range(runs)]
    if at_once is None:
        return [Reservation(name, tokens, name) for name in names], []
    shared = [uuid7().hex for _ in range(min(runs, at_once))]
    return [Reservation(name, tokens, "") for name in names], [Reservation(name, 0, name) for name in shared]


def refusal_of(answer: Sequence[int]) -> LimitReached | None:
    """Return the error that the script's answer means."""
    limit, whose, wait = answer[:3]
    return LimitReached(LIMITS[limit - 1], WHOSE[whose - 1], wait / 1e6) if limit else None


def standing_of(plan: NamedPlan, answer: Sequence[int]) -> Standing:
    """Return the standing that the script's answer tells of."""
    return Standing(plan, answer[3:7], answer[7:11])
