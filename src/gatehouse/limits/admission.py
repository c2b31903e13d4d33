"""What one request is charged: once, in one call, with the runs that it starts if it starts any."""

from collections import deque

import structlog
from redis.exceptions import RedisError

from gatehouse.identity.principal import Principal
from gatehouse.limits.limiter import Admitted, Limiter, Store
from gatehouse.limits.reservations import Reservation
from gatehouse.limits.standing import Standing
from gatehouse.problems.errors import Unavailable
from gatehouse.storage.redis.words import words_of

log = structlog.get_logger(__name__)


class Admission:
    """One request, or one message of a WebSocket. `close` gives back what its runs did not take."""

    def __init__(self, limiter: Limiter, principal: Principal) -> None:
        self._limiter = limiter
        self._principal = principal
        self._seats: deque[Reservation] = deque()
        self._begun: list[Reservation] = []
        self._slots: list[Reservation] = []
        self._requests = 0
        self.asked = False
        self.standing: Standing | None = None

    async def charge(self) -> None:
        """Charge one request, unless that was done. Raises LimitReached, Unavailable."""
        if not self.asked:
            await self._admit(1)

    async def reserve(self, runs: int, at_once: int | None = None) -> None:
        """Charge the request and take what its runs need: a batch of which `at_once` go on at a time.

        Each run of a batch is charged as a request. Raises LimitReached, Unavailable, InvalidInput.
        """
        admitted = await self._admit(max(0, runs - self._requests), runs, at_once)
        self._seats.extend(admitted.seats)
        self._slots.extend(admitted.slots)

    async def take(self) -> Reservation | None:
        """Return what one run holds; None when Redis is away and that is to stop nobody. Raises as above."""
        if not self._seats:
            await self.reserve(1)
        if not self._seats:
            return None
        self._begun.append(self._seats.popleft())
        return self._begun[-1]

    @property
    def is_new(self) -> bool:
        """Whether nothing was charged yet."""
        return not self.asked and not self._seats

    def seat(self) -> Reservation:
        """Return what one run is to hold, for `begin`."""
        return self._limiter.seat(self._principal)

    async def begin(self, seat: Reservation, store: Store) -> bool:
        """Charge the request and take what its run holds in the step that stores the run.

        False when the run was undone before. Raises LimitReached, and what `store` raises.
        """
        self.asked = True  # once is enough, also where Redis does not answer
        admitted = await self._limiter.begin(self._principal, 1, seat, store)
        if admitted is None:
            return False
        self._note(admitted, 1)
        self._begun.append(seat)
        return True

    def lose(self, reservation: Reservation) -> None:
        """Forget what a run took that may or may not have begun: who finds out gives it back."""
        self._begun.remove(reservation)
        self._limiter.reservations.drop(reservation)

    def give_back(self, reservation: Reservation) -> None:
        """Take back what a run took that could not begin."""
        self._begun.remove(reservation)
        self._seats.append(reservation)

    async def close(self) -> None:
        """Give back what no run has taken, and the slots of a batch, but for those that still serve a run."""
        if not self._seats and not self._slots:
            return
        reservations = self._limiter.reservations
        keys = reservations.keys_of(self._principal)
        for reservation in self._begun:
            if self._slots and reservation.seat in reservations:
                slot = reservations.drop(self._slots.pop())
                reservations.keep(keys, Reservation(reservation.seat, reservation.tokens, slot.slot))
        left, self._seats, self._slots = [*self._seats, *self._slots], deque(), []
        try:
            await reservations.release(keys, left)
        except (RedisError, OSError) as error:
            log.warning("limits cannot be given back yet", error=type(error).__name__, **words_of(error))
            reservations.give_up(keys, left)

    async def _admit(self, requests: int, runs: int = 0, at_once: int | None = None) -> Admitted:
        try:
            admitted = await self._limiter.admit(self._principal, requests, runs, at_once)
        except Unavailable:
            self.asked = True  # once is enough
            raise
        self._note(admitted, requests)
        return admitted

    def _note(self, admitted: Admitted, requests: int) -> None:
        self.asked = True
        self.standing = admitted.standing or self.standing
        if admitted.refusal is not None:
            raise admitted.refusal
        self._requests += requests
