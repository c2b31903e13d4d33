"""What the runs of this process have of their callers' limits, renewed until they end.

A reservation is a lease: when its process is killed, it follows the run to the process that goes on with
it, or frees itself.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from redis.asyncio import Redis

from gatehouse.background import all_of
from gatehouse.identity.principal import Principal
from gatehouse.limits.keys import Counted, counted
from gatehouse.limits.scripts import RELEASE, RENEW
from gatehouse.settings.plans import Plans
from gatehouse.storage.redis.script import COMMAND_SECONDS, Clustered, Script

CALLERS_AT_ONCE = 50  # whose reservations are renewed in one step of Redis


@dataclass(frozen=True, slots=True)
class Reservation:
    """What one run has of its caller's limits: `tokens`, and a slot among the concurrent runs.

    `slot` is empty for an item of a batch, which runs in one of the batch's slots.
    """

    seat: str
    tokens: int
    slot: str

    @property
    def member(self) -> str:
        """The member of the sorted set of reservations."""
        return f"{self.seat}:{self.tokens}"


class Settlement(NamedTuple):
    """What `limits.scripts.SETTLE` is called with: the keys, then slot, reservation and tokens used."""

    keys: tuple[str, ...]
    arguments: tuple[str, str, int]


class Hold(NamedTuple):
    """What `limits.scripts.HOLD` is called with: the keys, then lease in ms, slot, reservation and what is
    allowed: runs and tokens of the user, and of the tenant."""

    keys: tuple[str, ...]
    arguments: tuple[int, str, str, int, int, int, int]


NOTHING_HELD = Hold((), (0, "", "", 0, 0, 0, 0))
UNLIMITED = 10**15


class Reservations:
    """The reservations of one process. `lease` is in seconds: it has to outlast the takeover of a run.

    `plans` say what a run is held to that is taken over after its place has lapsed (None: to nothing).
    """

    def __init__(self, redis: Redis, lease: float, plans: Plans | None = None) -> None:
        self.plans = plans
        self.on_cluster = isinstance(redis, Clustered)
        self._given_up: deque[tuple[Counted, tuple[Reservation, ...]]] = deque()
        self._held: dict[str, tuple[Counted, Reservation]] = {}
        self._renewing = asyncio.Lock()
        self._renew = Script(redis, RENEW, COMMAND_SECONDS)
        self._release_all = Script(redis, RELEASE, COMMAND_SECONDS)
        self.lease_ms = int(lease * 1000)

    def __contains__(self, seat: str) -> bool:
        return seat in self._held

    def keys_of(self, principal: Principal) -> Counted:
        """Return the keys under which this Redis counts for a principal."""
        return counted(principal, self.on_cluster)

    def keep(self, keys: Counted, reservation: Reservation) -> None:
        """Renew this reservation from now on."""
        self._held[reservation.seat] = (keys, reservation)

    def adopt(self, principal: Principal, reservation: Reservation) -> None:
        """Renew the reservation of a run that another process began, as `adopted` has it."""
        self.keep(self.keys_of(principal), adopted(reservation))

    def drop(self, reservation: Reservation) -> Reservation:
        """Renew the reservation no longer; return it as it was last."""
        _, last = self._held.pop(reservation.seat, (None, reservation))
        return last

    async def settlement(self, principal: Principal, reservation: Reservation, used: int) -> Settlement:
        """Return what the script that ends the run settles; `used` is how many tokens the run has used.

        The reservation is renewed no longer.
        """
        async with self._renewing:  # a renewal that is under way would take up again what was given back
            last = self.drop(reservation)
        return Settlement(self.keys_of(principal).runs, (last.slot, last.member, used))

    def hold(self, principal: Principal, reservation: Reservation | None) -> Hold:
        """Return what takes the place of a run together with the run itself."""
        if reservation is None:
            return NOTHING_HELD
        allowed = (UNLIMITED,) * 4
        if self.plans is not None:
            plan = self.plans.of(principal.plan)
            allowed = (plan.user.runs, plan.user.tokens, plan.tenant.runs, plan.tenant.tokens)
        member = reservation.member if reservation.tokens else ""
        return Hold(self.keys_of(principal).runs, (self.lease_ms, reservation.slot, member, *allowed))

    def give_up(self, keys: Counted, reservations: Iterable[Reservation]) -> None:
        """Give back with the next renewal what may have been taken: Redis has not said whether it was."""
        self._given_up.append((keys, tuple(self.drop(reservation) for reservation in reservations)))

    async def renew(self) -> None:
        """Renew every reservation, those of many callers at once, and give back what was given up.

        Raises RedisError.
        """
        async with self._renewing:
            by_caller: defaultdict[Counted, list[Reservation]] = defaultdict(list)
            for keys, reservation in self._held.values():
                by_caller[keys].append(reservation)
            # on a cluster each tenant is in a slot of its own
            by_slot: defaultdict[str, list[tuple[Counted, list[Reservation]]]] = defaultdict(list)
            for caller in by_caller.items():
                by_slot[caller[0].tenant.rate if self.on_cluster else ""].append(caller)
            await all_of((self._give_back(), *map(self._renew_all, by_slot.values())))

    async def _give_back(self) -> None:
        """Give back what was given up."""
        while self._given_up:
            await self._release(*self._given_up[0])
            self._given_up.popleft()  # the one that was released: others may have come meanwhile

    async def _renew_all(self, callers: Sequence[tuple[Counted, Sequence[Reservation]]]) -> None:
        for first in range(0, len(callers), CALLERS_AT_ONCE):
            await self._renew_some(callers[first : first + CALLERS_AT_ONCE])

    async def _renew_some(self, callers: Iterable[tuple[Counted, Sequence[Reservation]]]) -> None:
        keys: list[str] = []
        arguments: list[Any] = [self.lease_ms]
        for whose, reservations in callers:
            slots, members = parts(reservations)
            keys += whose.runs
            arguments += (len(slots), len(members), *slots, *members)
        await self._renew(keys, arguments)

    async def release(self, keys: Counted, reservations: Iterable[Reservation]) -> None:
        """Give reservations back whose runs did not begin. Raises RedisError."""
        async with self._renewing:
            dropped = [self.drop(reservation) for reservation in reservations]
        await self._release(keys, dropped)

    async def _release(self, keys: Counted, reservations: Iterable[Reservation]) -> None:
        slots, members = parts(reservations)
        if slots or members:
            await self._release_all(keys.runs, (len(slots), *slots, *members))


def adopted(reservation: Reservation) -> Reservation:
    """Return what a run has on another process: a batch's slots do not come with it."""
    return replace(reservation, slot=reservation.slot or reservation.seat)


def parts(reservations: Iterable[Reservation]) -> tuple[list[str], list[str]]:
    """Return the slots of reservations, and their members of the sorted set."""
    slots, members = [], []
    for reservation in reservations:
        if reservation.slot:
            slots.append(reservation.slot)
        if reservation.tokens:
            members.append(reservation.member)
    return slots, members
