"""The one-time sign-in link that `gatehouse serve` prints in development, as Jupyter does."""

import time

from redis.asyncio import Redis

from gatehouse.identity.principal import ALL_SCOPES, Principal
from gatehouse.storage.digest import digest_of

LIFETIME = 3600  # seconds
# Longer than any server runs: a worker that is started again registers the link again, and must find
# that it was used or that its hour is over.
REMEMBERED = 30 * 86_400
USED = b"used"

# Whom the link signs in: the first of the users that get an API key in development
OPERATOR = Principal(
    tenant_id="acme",
    user_id="alice",
    name="Alice Martin",
    scopes=frozenset({ALL_SCOPES}),
    credential="session",
    credential_id="start-link",
)


class StartLink:
    """The link's token, good once over all workers and replicas."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def register(self, token: str) -> None:
        """Make the link work for an hour. What another worker registered, or was used, stays as it is."""
        await self._redis.set(_key(token), str(time.time() + LIFETIME), nx=True, ex=REMEMBERED)

    async def redeem(self, token: str) -> Principal | None:
        """Return whom the link signs in, the first time within its hour; from then on None."""
        # one command: of all who redeem at once, one gets the deadline, the others get `used`
        before = await self._redis.set(_key(token), USED, xx=True, get=True, keepttl=True)
        if before is None or before == USED or float(before) <= time.time():
            return None
        return OPERATOR


def _key(token: str) -> str:
    return f"gh:start-link:{digest_of(token)}"
