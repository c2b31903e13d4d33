"""The issuer's keys, kept fresh in the background (RFC 7517).

PyJWT's own client blocks the event loop and holds a lock while it fetches, so that one token with an
unknown `kid` makes every other caller wait. Here one task fetches, and who has a known key never waits.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic

import structlog

from gatehouse.auth.tokens.issuer_http import SECONDS, IssuerUnreachable
from gatehouse.auth.tokens.keys import KeySet, VerificationKey
from gatehouse.auth.tokens.remote_issuer import FetchedKeys
from gatehouse.problems.errors import Unavailable

log = structlog.get_logger(__name__)

DEFAULT_AGE = 300.0  # seconds, where the issuer names none
FIRST_RETRY = 0.5  # seconds after a failed start; the pause doubles up to the cooldown
LONGEST_FETCH = 2 * SECONDS + 1  # the document and the keys

NO_KEYS = "The issuer's keys are not at hand, so tokens cannot be checked now. Try again later."


@dataclass(frozen=True, slots=True)
class Freshness:
    """How long keys are used, in seconds: until they are fetched again, and beyond that when that fails.

    `cooldown` lies between two fetches, whatever tokens ask for and whatever came of the first.
    """

    max_age: float
    stale: float
    cooldown: float

    def age(self, told: float | None) -> float:
        """Return for how long keys are used of which the issuer says that they hold for `told` seconds."""
        return min(max(DEFAULT_AGE if told is None else told, self.cooldown), self.max_age)


class IssuerKeys:
    """The keys as they were fetched last. `keep` has to run."""

    def __init__(self, fetch: Callable[[], Awaitable[FetchedKeys]], freshness: Freshness) -> None:
        self._fetch = fetch
        self._freshness = freshness
        self._keys: KeySet | None = None
        self._usable_until = float("-inf")
        self._due = float("-inf")
        self._tried = float("-inf")
        self._failures = 0
        self._fetching = False
        self._wanted = asyncio.Event()
        self._round = asyncio.Event()  # set at the end of the fetch that is going on, or is the next

    @property
    def ready(self) -> bool:
        """Whether the keys were ever fetched."""
        return self._keys is not None

    @property
    def current(self) -> KeySet:
        """The keys to use now; the same object as long as they are the same keys. Raises Unavailable."""
        if self._keys is None or monotonic() > self._usable_until:
            raise Unavailable(NO_KEYS)
        return self._keys

    def find(self, algorithm: str, kid: str | None) -> VerificationKey | None:
        """Return the one key that fits, None when none or several do. Raises Unavailable."""
        return self.current.find(algorithm, kid)

    async def look_again(self) -> bool:
        """Tell whether the keys changed, now that one is unknown: asks the issuer, once a cooldown."""
        if not self._fetching and monotonic() - self._tried < self._freshness.cooldown:
            return False
        before, this_round = self._keys, self._round
        self._wanted.set()
        try:
            async with asyncio.timeout(LONGEST_FETCH):
                await this_round.wait()
        except TimeoutError:
            return False
        return self._keys is not before

    async def keep(self) -> None:
        """Fetch the keys now, when they are due, and when one is wanted. Runs until it is cancelled."""
        while True:
            self._fetching = True
            await self._fetch_once()
            self._tried = monotonic()
            self._fetching = False
            self._wanted.clear()  # who asked meanwhile is answered by this fetch
            ended, self._round = self._round, asyncio.Event()
            ended.set()
            await self._wait()

    async def _fetch_once(self) -> None:
        asked = monotonic()
        try:
            fetched = await self._fetch()
        except IssuerUnreachable as error:
            self._retry(str(error))
        except Exception as error:  # nothing may end the task: without it no key is ever refreshed
            log.exception("issuer's keys not fetched")
            self._retry(type(error).__name__)
        else:
            self._failures = 0
            self._due = asked + self._freshness.age(fetched.max_age)
            self._usable_until = self._due + self._freshness.stale
            self._take(fetched.keys)

    def _take(self, keys: KeySet) -> None:
        if keys != self._keys:  # what was verified with them is forgotten only when they change
            self._keys = keys
            log.info("issuer's keys changed", kids=[key.kid for key in keys.keys])

    def _retry(self, reason: str) -> None:
        pause = self._freshness.cooldown
        if not self.ready:  # nobody can be verified: rather ask too often
            pause = min(pause, FIRST_RETRY * 2 ** min(self._failures, 10))
        self._failures += 1
        self._due = monotonic() + pause
        log.warning("issuer's keys not fetched", reason=reason, again_in=pause)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._due - monotonic()):
                await self._wanted.wait()
        except TimeoutError:
            pass
