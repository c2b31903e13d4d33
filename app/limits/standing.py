"""What a caller may still use, as Redis said it; and the header fields that tell of it.

RateLimit and RateLimit-Policy: draft-ietf-httpapi-ratelimit-headers, lists of structured fields (RFC 9651).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from app.limits import rate
from app.limits.budget import DAY_SECONDS
from app.limits.plans import Allowance, NamedPlan
from app.limits.refusal import Limit, Whose, policy_name

RUNS_RESET = 1  # seconds; nobody can say when a run ends


class Remaining(NamedTuple):
    """What is left of one limit. `window` is in seconds, None for runs, which no time gives back."""

    name: str
    limit: int
    remaining: int
    reset_seconds: int
    window: int | None


class Reading(NamedTuple):
    """What Redis counts of one who is counted; -1 where it did not look."""

    ahead: int  # microseconds that the arrival time is ahead of now
    runs: int
    used: int
    reserved: int


@dataclass(frozen=True, slots=True)
class Standing:
    """The readings of a user and of their tenant, under a plan."""

    plan: NamedPlan
    user: Reading
    tenant: Reading
    to_midnight: int

    def limits(self) -> Iterator[Remaining]:
        """Yield what is left of each limit that was looked at, the user's first."""
        yield from self._of("user", self.plan.user, self.user)
        yield from self._of("tenant", self.plan.tenant, self.tenant)

    def fields(self) -> list[tuple[bytes, bytes]]:
        """Return the header fields, for ASGI."""
        limits = list(self.limits())
        return [
            (b"ratelimit-policy", ", ".join(map(policy, limits)).encode()),
            (b"ratelimit", ", ".join(map(state, limits)).encode()),
        ]

    def _of(self, whose: Whose, allowed: Allowance, reading: Reading) -> Iterator[Remaining]:
        def left(limit: Limit, most: int, now: int, reset: int, window: int | None) -> Remaining:
            return Remaining(policy_name(limit, whose), most, max(0, now), reset, window)

        requests = rate.remaining(reading.ahead, allowed.interval, allowed.burst)
        yield left("requests", allowed.burst, requests, -(-reading.ahead // 1_000_000), allowed.window)
        if reading.runs >= 0:
            yield left("runs", allowed.runs, allowed.runs - reading.runs, RUNS_RESET, None)
            tokens = allowed.tokens - reading.used - reading.reserved
            yield left("tokens", allowed.tokens, tokens, self.to_midnight, DAY_SECONDS)


def policy(limit: Remaining) -> str:
    """Return the item of RateLimit-Policy."""
    if limit.window is None:
        return f'"{limit.name}";q={limit.limit};qu="concurrent-requests"'
    return f'"{limit.name}";q={limit.limit};w={limit.window}'


def state(limit: Remaining) -> str:
    """Return the item of RateLimit."""
    return f'"{limit.name}";r={limit.remaining};t={limit.reset_seconds}'
