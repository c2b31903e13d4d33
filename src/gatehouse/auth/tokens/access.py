"""Access tokens as callers present them: verified once, then remembered until they expire."""

import hashlib
import time
from collections import OrderedDict

from gatehouse.auth.tokens.issuer_keys import GivenKeys, Issuer, TokenKeys, with_keys
from gatehouse.auth.tokens.jwt import JwtVerifier
from gatehouse.auth.tokens.key_source import load_keys
from gatehouse.auth.tokens.keys import KeySet
from gatehouse.identity.principal import Principal
from gatehouse.settings import Settings

REMEMBERED = 10_000  # tokens; about 1 kB each


class AccessTokens:
    """Verifies tokens with the keys of the issuer."""

    def __init__(self, verifier: JwtVerifier, keys: TokenKeys, limit: int = REMEMBERED) -> None:
        """`verifier` finds its keys in `keys`; at most `limit` tokens are remembered."""
        self._verifier = verifier
        self._keys = keys
        self._limit = limit
        self._remembered: OrderedDict[bytes, Principal] = OrderedDict()
        self._verified_with: KeySet | None = None

    @property
    def ready(self) -> bool:
        """Whether there are keys to verify with."""
        return self._keys.ready

    async def verify(self, token: str) -> Principal:
        """Return whom the token names.

        Raises InvalidCredential for anything that is wrong with it, and Unavailable when the issuer's
        keys are not at hand. A token with an unknown key waits for a fetch; none with a known key does.
        """
        self._forget_when_keys_changed()
        name = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._remembered.get(name)
        if known is not None and (known.expires_at or 0) > time.time():
            self._remembered.move_to_end(name)
            return known
        principal = await with_keys(self._keys, lambda: self._verifier.verify(token))
        self._remember(name, principal)
        return principal

    def forget(self, credential_id: str) -> None:
        """Have the tokens with this id verified anew when they come again: one of them was revoked."""
        gone = [name for name, kept in self._remembered.items() if kept.credential_id == credential_id]
        for name in gone:
            del self._remembered[name]

    def _remember(self, name: bytes, principal: Principal) -> None:
        self._remembered[name] = principal
        self._remembered.move_to_end(name)
        while len(self._remembered) > self._limit:
            self._remembered.popitem(last=False)

    def _forget_when_keys_changed(self) -> None:
        """Forget every token when a key came or went: one may have been verified with a removed key."""
        current = self._keys.current
        if current is not self._verified_with:
            self._remembered.clear()
            self._verified_with = current


def access_tokens(
    settings: Settings, issuer: Issuer | None = None, resource: str | None = None
) -> AccessTokens:
    """Return what verifies the tokens that the settings describe, and those for this resource alone.

    Blocks on key files without an issuer. Raises BadConfiguration.
    """
    keys = issuer.keys if issuer else GivenKeys(load_keys(settings))
    return AccessTokens(JwtVerifier.from_settings(settings, keys, resource), keys)
