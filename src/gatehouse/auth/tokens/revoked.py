"""Which JWTs were revoked before their time: a list in Redis that every replica knows by heart.

A token is named by its tenant and its `jti`. The list is a stream: each replica reads what was added since
it last looked, once a second, so that no request asks Redis. API keys and sessions are not in it: they have
a place of their own where they end.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from redis.typing import EncodableT, FieldT

from gatehouse.background import in_background
from gatehouse.identity.identifiers import identifier

log = structlog.get_logger(__name__)

LIST = "gh:revoked-tokens"
LOOK_EVERY = 1.0  # seconds
STALE_AFTER = 4.0  # a revocation reaches every replica within 5 s, or the replica takes no token

Token = tuple[str, str]  # tenant_id, jti


class RevokedTokens:
    """The list, as this replica knows it."""

    def __init__(self, redis: Redis, remembered: float) -> None:
        """`remembered` is in seconds: what no token outlives."""
        self._redis = redis
        self._remembered = remembered
        self._revoked: dict[Token, float] = {}
        self._last = "-"  # the stream id up to which the list was read
        self._as_of = float("-inf")
        self._looking = asyncio.Lock()

    async def revoke(self, tenant_id: str, jti: str) -> None:
        """Put a token on the list: here at once, on the other replicas within 5 s.

        Raises ValueError for what can be no `jti`, and RedisError.
        """
        token = (tenant_id, identifier(jti))
        kept_since = int((time.time() - self._remembered) * 1000)
        fields: dict[FieldT, EncodableT] = {"tenant_id": tenant_id, "jti": jti}
        await self._redis.xadd(LIST, fields, minid=max(kept_since, 0), approximate=True)
        self._revoked[token] = time.time()

    async def includes(self, tenant_id: str, jti: str) -> bool:
        """Tell whether a token was revoked. Asks Redis when the list is older than 4 s; raises RedisError."""
        if time.monotonic() - self._as_of > STALE_AFTER:
            await self.look()
        return (tenant_id, jti) in self._revoked

    async def look(self) -> None:
        """Read what was added to the list. Raises RedisError."""
        async with self._looking:
            asked = time.monotonic()
            after = self._last if self._last == "-" else f"({self._last}"
            entries: Any = await self._redis.xrange(LIST, min=after)
            for entry_id, fields in entries:
                self._last = entry_id.decode()
                added_at = int(self._last.partition("-")[0]) / 1000
                self._revoked[fields[b"tenant_id"].decode(), fields[b"jti"].decode()] = added_at
            self._as_of = asked
        self._forget_old()

    def _forget_old(self) -> None:
        """Forget the tokens that have expired by now. The oldest come first."""
        kept_since = time.time() - self._remembered
        while self._revoked:
            token, added_at = next(iter(self._revoked.items()))
            if added_at > kept_since:
                return
            del self._revoked[token]

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Read the list every second while the context is open."""
        async with in_background(revoked_tokens=self._follow()):
            yield

    async def _follow(self) -> None:
        while True:
            try:
                await self.look()
            except (RedisError, OSError) as error:  # `includes` then asks itself, and fails when it can't
                log.warning("revoked tokens cannot be read", reason=type(error).__name__)
            await asyncio.sleep(LOOK_EVERY)
