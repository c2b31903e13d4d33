"""Which JWTs were revoked before their time: every replica knows all of them by heart.

A token is named by its tenant and its `jti`. The database keeps them; a stream in Redis tells of new ones
within a second, so that no request asks either. Each makes good what the other loses: a Redis that began
anew has everything read from the database again, and what the stream did not tell is read there every few
seconds. API keys and sessions are not among them: they have a place of their own where they end.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import structlog
from langchain_core.utils.uuid import uuid7
from redis.asyncio import Redis
from redis.exceptions import RedisError
from redis.typing import EncodableT, FieldT
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.auth.tokens.revocations import Revocations
from gatehouse.background import in_background
from gatehouse.identity.identifiers import identifier
from gatehouse.storage.digest import digest_of

log = structlog.get_logger(__name__)

LIST = "gh:revoked-tokens"
BEGUN = "gh:revoked-tokens:begun"  # another text when Redis has begun anew
LOOK_EVERY = 1.0  # seconds
READ_EVERY = 3.0  # seconds between two looks at the database
STALE_AFTER = 4.0  # a revocation reaches every replica within 5 s, or the replica takes no token


class RevokedTokens:
    """The list, as this replica knows it."""

    def __init__(self, redis: Redis, engine: AsyncEngine, remembered: float) -> None:
        """`remembered` is in seconds: what no token outlives."""
        self._redis = redis
        self._kept = Revocations(engine)
        self._remembered = remembered
        self._revoked: dict[str, float] = {}
        self._begun: bytes | None = None
        self._last = "-"  # the stream id up to which the list was read
        self._as_of = float("-inf")
        self._read_at = float("-inf")
        self._looking = asyncio.Lock()

    async def revoke(self, tenant_id: str, jti: str) -> None:
        """Put a token on the list: here at once, on the other replicas within 5 s.

        Raises ValueError for what can be no `jti`, and what the database raises. Redis may be away.
        """
        token = digest_of(tenant_id, identifier(jti))
        now = time.time()
        kept_since = now - self._remembered
        await self._kept.add(token, at(now), at(kept_since))
        self._revoked[token] = now
        fields: dict[FieldT, EncodableT] = {"tenant_id": tenant_id, "jti": jti}
        try:
            await self._redis.xadd(LIST, fields, minid=max(int(kept_since * 1000), 0), approximate=True)
        except (RedisError, OSError) as error:  # they read it in the database
            log.warning("revocation is told late", reason=type(error).__name__)

    async def includes(self, tenant_id: str, jti: str) -> bool:
        """Tell whether a token was revoked. Asks when the list is older than 4 s; raises what `look` does."""
        if time.monotonic() - self._as_of > STALE_AFTER:
            await self.look()
        return digest_of(tenant_id, jti) in self._revoked

    async def look(self) -> None:
        """Read what was added to the list; all of it when Redis has begun anew, or nothing was read yet.

        Raises RedisError, and SQLAlchemyError where the database has to be read.
        """
        async with self._looking:
            asked = time.monotonic()
            begun = await self._when_redis_began()
            if begun != self._begun:
                await self._read(time.time() - self._remembered)
                self._begun, self._last = begun, "-"
            elif asked - self._read_at > READ_EVERY:
                await self._read_late(asked)
            await self._hear()
            self._as_of = asked
        self._forget_old()

    async def _when_redis_began(self) -> bytes:
        """Return what Redis was told when it was first asked: another one has forgotten it."""
        begun: Any = await self._redis.get(BEGUN)
        if begun:
            return bytes(begun)
        await self._redis.set(BEGUN, str(uuid7()), nx=True)
        begun = await self._redis.get(BEGUN)
        return bytes(begun or b"")

    async def _hear(self) -> None:
        after = self._last if self._last == "-" else f"({self._last}"
        entries: Any = await self._redis.xrange(LIST, min=after)
        for entry_id, fields in entries:
            self._last = entry_id.decode()
            added_at = int(self._last.partition("-")[0]) / 1000
            token = digest_of(fields[b"tenant_id"].decode(), fields[b"jti"].decode())
            self._revoked.setdefault(token, added_at)

    async def _read(self, since: float) -> None:
        asked = time.monotonic()
        for token, revoked_at in (await self._kept.since(at(since))).items():
            self._revoked.setdefault(token, revoked_at.timestamp())
        self._read_at = asked

    async def _read_late(self, asked: float) -> None:
        """Read what Redis may not have told since the last time. Without the database it tells the rest."""
        try:
            await self._read(time.time() - (asked - self._read_at))
        except (SQLAlchemyError, OSError) as error:
            log.warning("revoked tokens cannot be read from the database", reason=type(error).__name__)

    def _forget_old(self) -> None:
        """Forget the tokens that have expired by now."""
        kept_since = time.time() - self._remembered
        self._revoked = {
            token: added_at for token, added_at in self._revoked.items() if added_at > kept_since
        }

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Read the list every second while the context is open."""
        async with in_background(revoked_tokens=self._follow()):
            yield

    async def _follow(self) -> None:
        while True:
            try:
                await self.look()
            except (RedisError, SQLAlchemyError, OSError) as error:  # `includes` then asks itself, and fails
                log.warning("revoked tokens cannot be read", reason=type(error).__name__)
            await asyncio.sleep(LOOK_EVERY)


def at(seconds: float) -> datetime:
    """Return a moment that is given in Unix seconds."""
    return datetime.fromtimestamp(max(0.0, seconds), UTC)
