"""The claims of a verified token: the checks that PyJWT leaves out, and the principal they name."""

import hashlib
from collections.abc import Mapping
from typing import Any

from app.auth.identifiers import MAX_LENGTH, identifier
from app.auth.principal import Principal

# What only an ID token has (OpenID Connect Core sections 2 and 3.3.2.11). It says to a client who signed
# in, and is no permission to call anybody. Keycloak before 24 puts `nonce` into access tokens too: there,
# its "Nonce backwards compatible" mapper has to be off.
ID_TOKEN_CLAIMS = frozenset({"nonce", "at_hash", "c_hash", "s_hash"})
LATEST_DATE = 253_402_300_800  # the year 10000: no token is about later, and no float overflows


class BadClaims(ValueError):
    """The token is genuine, but its claims are not acceptable. The message holds nothing of the token."""


def principal_of(claims: Mapping[str, Any], token: str, max_lifetime: float) -> Principal:
    """Return the principal that the claims of a verified `token` name.

    `sub` is the user, `tenant_id` the tenant; `scope` (RFC 8693, separated by spaces) and `scopes` (a
    list) add up. `max_lifetime` is in seconds, from `iat` to `exp`. Raises BadClaims.
    """
    issued, expires = _date(claims, "iat"), _date(claims, "exp")
    if "nbf" in claims:
        _date(claims, "nbf")
    if expires - issued > max_lifetime:
        raise BadClaims("the lifetime is longer than GATEHOUSE_JWT_MAX_LIFETIME")
    # Amazon Cognito tells its ID tokens by `token_use` only
    if ID_TOKEN_CLAIMS & claims.keys() or claims.get("token_use", "access") != "access":
        raise BadClaims("it is an ID token")
    return Principal(
        tenant_id=_identifier(claims, "tenant_id"),
        user_id=_identifier(claims, "sub"),
        name=_display_name(claims),
        scopes=_scopes(claims),
        credential="jwt",
        credential_id=_identifier(claims, "jti") if "jti" in claims else _fingerprint(token),
        expires_at=float(expires),
        plan=_identifier(claims, "plan") if "plan" in claims else None,
        claims={"portfolio_id": _identifier(claims, "portfolio_id")} if "portfolio_id" in claims else {},
    )


def _date(claims: Mapping[str, Any], name: str) -> float:
    """Return a NumericDate (RFC 7519 section 2). PyJWT lets strings, booleans and 10^400 pass."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < LATEST_DATE:
        raise BadClaims(f"{name} is not a date")
    return value


def _identifier(claims: Mapping[str, Any], name: str) -> str:
    try:
        return identifier(claims.get(name))
    except ValueError:
        raise BadClaims(f"{name} does not name anything") from None


def _scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    scope, scopes = claims.get("scope", ""), claims.get("scopes", [])
    if not isinstance(scope, str) or not isinstance(scopes, list):
        raise BadClaims("scope is not a string or scopes is not a list")
    if not all(isinstance(item, str) for item in scopes):
        raise BadClaims("scopes holds what is not a string")
    return frozenset([*scope.split(" "), *scopes]) - {""}


def _display_name(claims: Mapping[str, Any]) -> str:
    """Return the name that pages show. Unlike an identifier, an odd one is no reason to refuse the token."""
    name = claims.get("name")
    return "".join(filter(str.isprintable, name))[:MAX_LENGTH] if isinstance(name, str) else ""


def _fingerprint(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()[:32]
