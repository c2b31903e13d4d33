"""Browser sessions: what a cookie stands for, kept in Redis, where every replica finds it."""

import secrets
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from time import monotonic

from pydantic import TypeAdapter, ValidationError
from redis.asyncio import Redis

from gatehouse.identity.principal import CredentialKind, Principal
from gatehouse.identity.recent import Recent
from gatehouse.problems.errors import InvalidCredential
from gatehouse.storage.digest import digest_of

TOKEN_BYTES = 32
MAX_TOKEN = 64  # characters; ours have 43


@dataclass(frozen=True, slots=True)
class Session:
    """A principal who signed in, and the credential that they did it with: the session ends with it."""

    principal: Principal
    credential: CredentialKind
    credential_id: str


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A new session. `token` is what the cookie holds; the server keeps its hash only."""

    token: str = field(repr=False)
    principal: Principal
    lifetime: float  # seconds


SESSION = TypeAdapter(Session)
REMEMBERED_SECONDS = 3.0  # a session that was ended elsewhere still works here for so long
REMEMBERED_SESSIONS = 10_000


class Sessions:
    """The sessions of this deployment. Redis forgets each at its end."""

    def __init__(self, redis: Redis, lifetime: float) -> None:
        """`lifetime` is in seconds; a session ends sooner when its credential does."""
        self._redis = redis
        self._lifetime = lifetime
        self._recent: Recent[Session] = Recent(REMEMBERED_SECONDS, REMEMBERED_SESSIONS)

    async def open(self, signed_in: Principal) -> OpenedSession:
        """Begin a session for whom a credential names. Raises InvalidCredential when it is at its end."""
        now = time.time()
        ends = min(now + self._lifetime, signed_in.expires_at or float("inf"))
        lifetime = ends - now
        if int(lifetime * 1000) <= 0:
            raise InvalidCredential
        token = secrets.token_urlsafe(TOKEN_BYTES)
        name = session_id(token)
        principal = replace(
            signed_in,
            credential="session",
            credential_id=name,
            expires_at=ends,
            opened_with=f"{signed_in.credential}:{signed_in.credential_id}",
        )
        session = Session(principal, signed_in.credential, signed_in.credential_id)
        await self._redis.set(_key(name), SESSION.dump_json(session), px=int(lifetime * 1000))
        return OpenedSession(token, principal, lifetime)

    async def find(self, token: str) -> Session | None:
        """Return the session that a cookie stands for, or None when there is none.

        One that has ended in another process is found for 3 s more.
        """
        if len(token) > MAX_TOKEN:
            return None
        name = session_id(token)
        session = self._recent.get(name) or await self._look_up(name)
        return session if session and (session.principal.expires_at or 0) > time.time() else None

    async def _look_up(self, name: str) -> Session | None:
        asked = monotonic()
        kept = await self._redis.get(_key(name))
        if kept is None:
            return None
        try:
            session = SESSION.validate_json(kept)
        except ValidationError:  # another release wrote it: its owner signs in once more
            return None
        self._recent.put(name, session, asked)
        return session

    async def goes_on(self, name: str) -> bool:
        """Tell whether the session with this id (`credential_id`) has not ended."""
        return bool(await self._redis.exists(_key(name)))

    async def end(self, token: str) -> None:
        """End the session that a cookie stands for, if there is one."""
        await self.end_all([session_id(token)])

    async def end_all(self, session_ids: Iterable[str]) -> None:
        """End the sessions with these ids (`credential_id`), those that there still are."""
        names = set(session_ids)
        if names:
            await self._redis.delete(*map(_key, names))
            self._recent.forget(lambda session: session.principal.credential_id in names)

    async def end_all_of(self, tenant_id: str, user_id: str) -> int:
        """End every session of a user; return how many there were. It looks at all that there are."""
        names = [
            session.principal.credential_id
            async for session in self._all()
            if (session.principal.tenant_id, session.principal.user_id) == (tenant_id, user_id)
        ]
        await self.end_all(names)
        return len(names)

    async def _all(self) -> AsyncIterator[Session]:
        async for key in self._redis.scan_iter(match=_key("*"), count=1000):
            kept = await self._redis.get(key)
            with suppress(ValidationError):  # another release wrote it
                if kept is not None:
                    yield SESSION.validate_json(kept)


def session_id(token: str) -> str:
    """Return the id of the session that a cookie stands for."""
    return digest_of(token)


def _key(name: str) -> str:
    return f"gh:session:{name}"
