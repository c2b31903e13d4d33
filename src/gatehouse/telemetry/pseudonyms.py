"""What logs and traces call a user: a keyed hash, the same on every replica, that nobody can turn back.

Without the key, whoever reads logs could hash every known user id and compare. The key is made of the pepper
that API keys are hashed with; when that is replaced, users get new pseudonyms.
"""

import hashlib
import hmac
from functools import lru_cache
from typing import Self, TypedDict

from gatehouse.auth.api_keys.peppers import Peppers
from gatehouse.auth.dev_secrets import api_key_pepper
from gatehouse.identity.principal import Principal
from gatehouse.settings import Settings

PURPOSE = b"gatehouse: users in logs and traces"
DIGITS = 16


class WhoseFields(TypedDict):
    """The fields of a log line that tell whose it is."""

    tenant: str
    user: str


class Pseudonyms:
    """The pseudonyms of one deployment."""

    def __init__(self, pepper: bytes) -> None:
        self._key = hmac.digest(pepper, PURPOSE, hashlib.sha256)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return the pseudonyms of the newest pepper. Blocks on the disk. Raises BadConfiguration."""
        peppers = Peppers.parse(api_key_pepper(settings))
        return cls(peppers.by_version[peppers.current])

    def of(self, principal: Principal) -> str:
        """Return 16 hex digits that stand for a user of a tenant."""
        return pseudonym(self._key, principal.tenant_id, principal.user_id)

    def fields(self, principal: Principal) -> WhoseFields:
        """Return what log lines say of whom something is done for."""
        return {"tenant": principal.tenant_id, "user": self.of(principal)}


@lru_cache(10_000)
def pseudonym(key: bytes, tenant_id: str, user_id: str) -> str:
    return hmac.digest(key, f"{tenant_id}\0{user_id}".encode(), hashlib.sha256).hex()[:DIGITS]
