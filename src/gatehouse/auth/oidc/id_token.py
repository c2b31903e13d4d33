"""What the issuer tells a client of its own: who signed in, and who signed out.

OpenID Connect Core 1.0 section 3.1.3.7, Back-Channel Logout 1.0 section 2.6. Neither token is a credential.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gatehouse.auth.tokens.claim_names import ClaimName
from gatehouse.auth.tokens.claims import identifier_in
from gatehouse.auth.tokens.issuer_keys import TokenKeys, with_keys
from gatehouse.auth.tokens.signed import BadToken, Expected, date, signed_claims, verified

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
SUBJECT, SESSION, TOKEN_ID = ClaimName(("sub",)), ClaimName(("sid",)), ClaimName(("jti",))


@dataclass(frozen=True, slots=True)
class IdToken:
    """Who signed in: `sub`, in the issuer's session `sid` (None: it names none), at `issued` (Unix time)."""

    text: str = field(repr=False)
    claims: Mapping[str, Any] = field(repr=False)
    sub: str
    sid: str | None
    issued: float


@dataclass(frozen=True, slots=True)
class LogoutToken:
    """Who signed out: the session `sid`, or without it every session of `sub`. Times are Unix time."""

    jti: str
    sub: str | None
    sid: str | None
    issued: float
    expires: float


class ClientTokens:
    """Verifies the tokens that one issuer makes for one client."""

    def __init__(
        self, keys: TokenKeys, *, issuer: str, client_id: str, leeway: float, max_lifetime: float
    ) -> None:
        """`leeway` and `max_lifetime` are in seconds."""
        self._keys = keys
        self._client_id = client_id
        self._max_lifetime = max_lifetime
        required = ("iss", "aud", "iat", "exp")
        self._id = Expected(issuer, client_id, {"jwt"}, (*required, "sub", "nonce"), leeway)
        self._logout = Expected(issuer, client_id, {"jwt", "logout+jwt"}, (*required, "jti"), leeway)

    async def signed_in(self, text: str, nonce: str) -> IdToken:
        """Return what the ID token says of the sign-in that `nonce` belongs to.

        Raises InvalidCredential, or Unavailable without the issuer's keys.
        """
        return await with_keys(self._keys, lambda: verified(lambda: self._read_id(text, nonce)))

    async def signed_out(self, text: str) -> LogoutToken:
        """Return what a logout token says. Raises InvalidCredential, or Unavailable without keys."""
        return await with_keys(self._keys, lambda: verified(lambda: self._read_logout(text)))

    def _read_id(self, text: str, nonce: str) -> IdToken:
        claims = signed_claims(text, self._keys, self._id)
        audience, party = claims["aud"], claims.get("azp")
        if party != self._client_id and (
            party is not None or audience not in ([self._client_id], self._client_id)
        ):
            raise BadToken("it was made for another client too")
        if not hmac.compare_digest(str(claims["nonce"]).encode(), nonce.encode()):
            raise BadToken("its nonce is not that of this sign-in")
        sid = identifier_in(claims, SESSION) if "sid" in claims else None
        return IdToken(text, claims, identifier_in(claims, SUBJECT), sid, date(claims, "iat"))

    def _read_logout(self, text: str) -> LogoutToken:
        claims = signed_claims(text, self._keys, self._logout)
        events = claims.get("events")
        if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
            raise BadToken("it tells of no logout")
        if "nonce" in claims:  # an ID token must not do
            raise BadToken("a logout token has no nonce")
        if date(claims, "exp") - date(claims, "iat") > self._max_lifetime:
            raise BadToken("the lifetime is longer than GATEHOUSE_JWT_MAX_LIFETIME")
        sub = identifier_in(claims, SUBJECT) if "sub" in claims else None
        sid = identifier_in(claims, SESSION) if "sid" in claims else None
        if sub is None and sid is None:
            raise BadToken("it names neither sub nor sid")
        return LogoutToken(
            identifier_in(claims, TOKEN_ID), sub, sid, date(claims, "iat"), date(claims, "exp")
        )
