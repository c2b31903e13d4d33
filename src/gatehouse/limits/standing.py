"""What a caller may still use, as Redis said it; and the header fields that tell of it.

RateLimit and RateLimit-Policy: draft-ietf-httpapi-ratelimit-headers, lists of structured fields (RFC 9651).
"""

import time
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from gatehouse.limits import rate
from gatehouse.limits.budget import DAY_SECONDS
from gatehouse.limits.refusal import Limit, Whose, policy_name
from gatehouse.settings.plans import Allowance, NamedPlan

RUNS_RESET = 1  # seconds; nobody can say when a run ends


class Remaining(NamedTuple):
    """What is left of one limit. `window` is in seconds, None for runs, which no time gives back."""

    name: str
    limit: int
    remaining: int
    reset_seconds: int
    window: int | None


class Standing(NamedTuple):
    """What Redis counts of a user and of their tenant, under a plan.

    Of each: microseconds that the arrival time is ahead of now, runs, tokens used, tokens reserved; the last
    three are -1 where it did not look.
    """

    plan: NamedPlan
    user: Sequence[int]
    tenant: Sequence[int]

    def limits(self) -> list[Remaining]:
        """Return what is left of each limit that was looked at, the user's first."""
        return left("user", self.plan.user, self.user) + left("tenant", self.plan.tenant, self.tenant)

    def fields(self) -> list[tuple[bytes, bytes]]:
        """Return the header fields, for ASGI."""
        limits = self.limits()
        most = tuple([(limit.name, limit.limit, limit.window) for limit in limits])
        states = [f'"{limit.name}";r={limit.remaining};t={limit.reset_seconds}' for limit in limits]
        return [(b"ratelimit-policy", policies(most)), (b"ratelimit", ", ".join(states).encode())]


def left(whose: Whose, allowed: Allowance, counted: Sequence[int]) -> list[Remaining]:
    """Return what is left of the limits of one who is counted."""
    ahead, runs, used, reserved = counted

    def remaining(limit: Limit, most: int, now: int, reset: int, window: int | None) -> Remaining:
        return Remaining(policy_name(limit, whose), most, max(0, now), reset, window)

    requests = rate.remaining(ahead, allowed.interval, allowed.burst)
    found = [remaining("requests", allowed.burst, requests, -(-ahead // 1_000_000), allowed.window)]
    if runs >= 0:
        to_midnight = DAY_SECONDS - int(time.time()) % DAY_SECONDS  # told, not counted with: any clock does
        tokens = allowed.tokens - used - reserved
        found += [
            remaining("runs", allowed.runs, allowed.runs - runs, RUNS_RESET, None),
            remaining("tokens", allowed.tokens, tokens, to_midnight, DAY_SECONDS),
        ]
    return found


@lru_cache(1000)
def policies(limits: tuple[tuple[str, int, int | None], ...]) -> bytes:
    """Return RateLimit-Policy: the name of each limit, how much it is, and its window."""
    return ", ".join(
        f'"{name}";q={limit};qu="concurrent-requests"' if window is None else f'"{name}";q={limit};w={window}'
        for name, limit, window in limits
    ).encode()
