"""Sign-ins at the issuer that have begun: each is good for one answer, in the browser that began it."""

import hmac
import secrets
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError
from redis.asyncio import Redis

from gatehouse.storage.digest import digest_of

LIFETIME = 600  # seconds that somebody may take at the issuer
SECRET_BYTES = 32
MAX_LENGTH = 64  # characters of a state or of the browser's secret; ours have 43


@dataclass(frozen=True, slots=True)
class Login:
    """What has to be the same when the browser comes back (RFC 7636, OpenID Connect Core section 3.1.2.1)."""

    verifier: str = field(repr=False)
    nonce: str = field(repr=False)
    redirect_uri: str
    destination: str


@dataclass(frozen=True, slots=True)
class _Kept:
    login: Login
    browser: str  # a hash: who reads Redis is not to be able to finish a sign-in


KEPT = TypeAdapter(_Kept)


class Logins:
    """The sign-ins of this deployment that are under way. Redis forgets each after ten minutes."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def begin(self, login: Login, browser: str) -> str:
        """Return the `state` of a sign-in that the browser with this secret begins."""
        state = random_text()
        await self._redis.set(_key(state), KEPT.dump_json(_Kept(login, digest_of(browser))), ex=LIFETIME)
        return state

    async def take(self, state: str, browser: str) -> Login | None:
        """Return the sign-in, once; None for a state that is unknown, old or used, or another browser's.

        Another browser uses it up too: the answer was meant for somebody else, and is known to two.
        """
        if not (0 < len(state) <= MAX_LENGTH and 0 < len(browser) <= MAX_LENGTH):
            return None
        kept = await self._redis.getdel(_key(state))
        try:
            begun = KEPT.validate_json(kept) if kept else None
        except ValidationError:  # another release wrote it
            return None
        if begun is None or not hmac.compare_digest(begun.browser, digest_of(browser)):
            return None
        return begun.login


def random_text() -> str:
    """Return a secret that cannot be guessed: 43 characters, as a `code_verifier` needs at least."""
    return secrets.token_urlsafe(SECRET_BYTES)


def _key(state: str) -> str:
    return f"gh:oidc:login:{digest_of(state)}"
