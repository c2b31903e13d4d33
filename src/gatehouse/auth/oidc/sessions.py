"""Sessions of people who signed in at the issuer, found again when the issuer says that they signed out."""

import math
from collections.abc import Iterable
from time import time

from redis.asyncio import Redis

from gatehouse.auth.browser.sessions import OpenedSession, Sessions
from gatehouse.auth.oidc.id_token import IdToken, LogoutToken
from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import InvalidCredential
from gatehouse.storage.digest import digest_of

# For which a sign-out is remembered: it may overtake the sign-in whose session it ends
OVERTAKEN_SECONDS = 900


class OidcSessions:
    """Sessions by the issuer's `sid` and `sub` (Back-Channel Logout 1.0)."""

    def __init__(self, redis: Redis, sessions: Sessions) -> None:
        self._redis = redis
        self._sessions = sessions

    async def open(self, signed_in: Principal, token: IdToken) -> OpenedSession:
        """Begin the session of a sign-in. Raises InvalidCredential when a sign-out came in between."""
        opened = await self._sessions.open(signed_in)
        session_id = opened.principal.credential_id
        lifetime = math.ceil(opened.lifetime)
        async with self._redis.pipeline(transaction=True) as pipeline:
            for key in _keys_of("sessions", token.sub, token.sid):
                pipeline.sadd(key, session_id)
                pipeline.expire(key, lifetime)
            pipeline.set(_hint_key(session_id), token.text, ex=lifetime)
            await pipeline.execute()
        if await self._was_overtaken(token):
            await self._sessions.end_all([session_id])
            raise InvalidCredential
        return opened

    async def end(self, token: LogoutToken) -> None:
        """End the sessions that the token names. Raises InvalidCredential when it was used before."""
        keep = max(1, math.ceil(token.expires - time()) + 60)
        if not await self._redis.set(_key("logout", token.jti), 1, nx=True, ex=keep):
            raise InvalidCredential
        named = ("sid", token.sid) if token.sid is not None else ("sub", token.sub or "")
        await self._redis.set(_key(f"ended:{named[0]}", named[1]), token.issued, ex=OVERTAKEN_SECONDS)
        key = _key(f"sessions:{named[0]}", named[1])
        ids = [_text(member) for member in await self._redis.smembers(key)]
        if token.sid is not None and token.sub is not None:
            own = await self._redis.smembers(_key("sessions:sub", token.sub))
            ids = [session_id for session_id in ids if session_id in {_text(member) for member in own}]
        await self._sessions.end_all(ids)
        await self._redis.delete(key, *(_hint_key(session_id) for session_id in ids))

    async def take_hint(self, session_id: str) -> str | None:
        """Return the ID token that began the session, once; None for one that began otherwise."""
        kept = await self._redis.getdel(_hint_key(session_id))
        return None if kept is None else _text(kept)

    async def _was_overtaken(self, token: IdToken) -> bool:
        by_sub = await self._redis.get(_key("ended:sub", token.sub))
        by_sid = await self._redis.get(_key("ended:sid", token.sid)) if token.sid else None
        return by_sid is not None or (by_sub is not None and float(by_sub) > token.issued)


def _keys_of(kind: str, sub: str, sid: str | None) -> Iterable[str]:
    yield _key(f"{kind}:sub", sub)
    if sid is not None:
        yield _key(f"{kind}:sid", sid)


def _key(kind: str, value: str) -> str:
    return f"gh:oidc:{kind}:{digest_of(value)}"


def _hint_key(session_id: str) -> str:
    return f"gh:oidc:hint:{session_id}"


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
