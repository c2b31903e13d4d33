"""Users whom a user interface signs in itself, and speaks for with one API key: Open WebUI.

It sends who asks as a JWT of its own, signed with a secret that it shares with this server. The key's scopes
say what its users may do, and `users:forward` among them that it speaks for others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from starlette.requests import HTTPConnection

from gatehouse.auth.tokens.claim_names import ClaimName
from gatehouse.auth.tokens.claims import display_name, identifier_in
from gatehouse.auth.tokens.keys import KeySet, keys_from_secret
from gatehouse.auth.tokens.signed import Expected, signed_claims, verified
from gatehouse.identity.principal import ALL_SCOPES, Principal
from gatehouse.problems.errors import Forbidden, Unauthenticated
from gatehouse.settings import Settings

HEADER = "x-openwebui-user-jwt"
SPEAKS_FOR_OTHERS = "users:forward"
ISSUER = "open-webui"
NOT_SET_UP = "This key speaks for users of Open WebUI: that needs GATEHOUSE_OPENWEBUI_JWT_SECRET."
NO_USER = f"This key speaks for users of Open WebUI: send who asks in {HEADER}."


@dataclass(frozen=True, slots=True)
class ForwardedUsers:
    """Finds whom a key speaks for. Without `keys` none can."""

    keys: KeySet | None
    leeway: float  # seconds

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return what verifies the users. Raises BadConfiguration for a secret that is too short."""
        secret = settings.openwebui_jwt_secret
        if secret is None:
            return cls(None, settings.jwt_leeway)
        text = secret.get_secret_value()
        return cls(keys_from_secret(text, ("HS256",), "GATEHOUSE_OPENWEBUI_JWT_SECRET"), settings.jwt_leeway)

    def asking(self, key: Principal, connection: HTTPConnection) -> Principal:
        """Return who asks with an API key: itself, or the user that it speaks for, of its tenant.

        A user has the key's scopes, but neither this one nor all: what a person may do is to be named. Raises
        Forbidden, Unauthenticated without a user, and InvalidCredential for a bad one.
        """
        if SPEAKS_FOR_OTHERS not in key.scopes:
            return key
        if self.keys is None:
            raise Forbidden(NOT_SET_UP)
        token = connection.headers.get(HEADER)
        if not token:
            raise Unauthenticated(NO_USER)
        keys = self.keys
        return verified(lambda: self._user(key, token, keys))

    def _user(self, key: Principal, token: str, keys: KeySet) -> Principal:
        required = ("exp", "iat", "sub", "iss")
        expected = Expected(ISSUER, None, ("jwt",), required, self.leeway)
        claims: Mapping[str, Any] = signed_claims(token, keys, expected)
        return replace(
            key,
            user_id=identifier_in(claims, ClaimName(("sub",))),
            name=display_name(claims.get("name")),
            scopes=key.scopes - {SPEAKS_FOR_OTHERS, ALL_SCOPES},
        )
