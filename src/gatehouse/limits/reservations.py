"""What the runs of this process hold of their callers' limits, renewed until they end.

A hold is a lease: when its process is killed, it follows the run to the process that goes on with it, or
frees itself.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from redis.asyncio import Redis

from gatehouse.identity.principal import Principal
from gatehouse.limits.keys import Counted, counted
from gatehouse.limits.scripts import RELEASE, RENEW


@dataclass(frozen=True, slots=True)
class Hold:
    """One run's reservation of `tokens`, and its slot among the concurrent runs.

    `slot` is empty for an item of a batch, which runs in one of the batch's slots.
    """

    seat: str
    tokens: int
    slot: str

    @property
    def reservation(self) -> str:
        """The member of the sorted set of reservations."""
        return f"{self.seat}:{self.tokens}"


class Settlement(NamedTuple):
    """What `limits.scripts.SETTLE` is called with: the keys, then slot, reservation and tokens used."""

    keys: tuple[str, ...]
    arguments: tuple[str, str, int]


class Holds:
    """The holds of one process. `lease` is in seconds: it has to outlast the takeover of a run."""

    def __init__(self, redis: Redis, lease: float) -> None:
        self._redis = redis
        self._held: dict[str, tuple[Counted, Hold]] = {}
        self._renewing = asyncio.Lock()
        self.lease_ms = int(lease * 1000)

    def __contains__(self, seat: str) -> bool:
        return seat in self._held

    def keep(self, keys: Counted, hold: Hold) -> None:
        """Renew this hold from now on."""
        self._held[hold.seat] = (keys, hold)

    def adopt(self, principal: Principal, hold: Hold) -> None:
        """Renew the hold of a run that another process began; a batch's slots did not come with it."""
        self.keep(counted(principal), replace(hold, slot=hold.slot or hold.seat))

    def drop(self, hold: Hold) -> Hold:
        """Renew the hold no longer; return it as it was last."""
        _, last = self._held.pop(hold.seat, (None, hold))
        return last

    async def settlement(self, principal: Principal, hold: Hold, used: int) -> Settlement:
        """Return what the script that ends the run settles; `used` is how many tokens the run has used.

        The hold is renewed no longer.
        """
        async with self._renewing:  # a renewal that is under way would take up again what was given back
            last = self.drop(hold)
        return Settlement(counted(principal).runs, (last.slot, last.reservation, used))

    async def renew(self) -> None:
        """Renew every hold, one script for each caller. Raises RedisError."""
        async with self._renewing:
            by_caller: defaultdict[Counted, list[Hold]] = defaultdict(list)
            for keys, hold in self._held.values():
                by_caller[keys].append(hold)
            if not by_caller:
                return
            pipeline = self._redis.pipeline(transaction=False)
            for keys, holds in by_caller.items():
                slots, reservations = parts(holds)
                pipeline.eval(RENEW, 6, *keys.runs, self.lease_ms, len(slots), *slots, *reservations)
            await pipeline.execute()

    async def release(self, keys: Counted, holds: Iterable[Hold]) -> None:
        """Give holds back whose runs did not begin. Raises RedisError."""
        async with self._renewing:
            slots, reservations = parts([self.drop(hold) for hold in holds])
        if slots or reservations:
            await self._redis.eval(RELEASE, 6, *keys.runs, len(slots), *slots, *reservations)


def parts(holds: Iterable[Hold]) -> tuple[list[str], list[str]]:
    """Return the slots and the reservations of holds."""
    slots, reservations = [], []
    for hold in holds:
        if hold.slot:
            slots.append(hold.slot)
        if hold.tokens:
            reservations.append(hold.reservation)
    return slots, reservations
