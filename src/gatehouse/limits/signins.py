"""Failed sign-ins of an address: guessing credentials is slow."""

import ipaddress

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gatehouse.limits.keys import address_key
from gatehouse.limits.limiter import ANSWER_SECONDS
from gatehouse.limits.refusal import LimitReached
from gatehouse.limits.scripts import CHARGE_ONE, GIVE_BACK
from gatehouse.problems.errors import Unavailable
from gatehouse.storage.redis.script import Script

log = structlog.get_logger(__name__)

WINDOW_SECONDS = 600
IPV6_PREFIX = 64  # what one customer of a provider has: a limit on single addresses would be none


class SignIns:
    """Each address may fail `failures` times in ten minutes.

    A sign-in is charged before it is tried, so that many at once are counted too, and given back when it
    succeeded.
    """

    def __init__(self, redis: Redis, failures: int) -> None:
        self._charge = Script(redis, CHARGE_ONE, ANSWER_SECONDS)
        self._give_back = Script(redis, GIVE_BACK, ANSWER_SECONDS)
        self._limits = (WINDOW_SECONDS * 1_000_000 // failures, failures)

    async def begin(self, address: str | None) -> None:
        """Charge a sign-in from this address. Raises LimitReached, and Unavailable without Redis."""
        try:
            wait = await self._charge([key_of(address)], self._limits)
        except (RedisError, OSError) as error:
            raise Unavailable("Nobody can sign in now. Try again later.") from error
        if wait:
            raise LimitReached("sign-ins", "address", wait / 1e6)

    async def succeeded(self, address: str | None) -> None:
        """Take the charge back."""
        try:
            await self._give_back([key_of(address)], self._limits)
        except (RedisError, OSError) as error:  # it is worked off in time
            log.warning("sign-in not given back", error=type(error).__name__)


def key_of(address: str | None) -> str:
    """Return the key of an address, and of its network for IPv6; those that have none share one."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return address_key(address or "")
    if not isinstance(parsed, ipaddress.IPv6Address):
        return address_key(str(parsed))
    if parsed.ipv4_mapped is not None:
        return address_key(str(parsed.ipv4_mapped))
    return address_key(str(ipaddress.IPv6Network((int(parsed), IPV6_PREFIX), strict=False)))
