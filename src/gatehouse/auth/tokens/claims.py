"""The claims of a verified token: the checks that PyJWT leaves out, and the principal they name."""

from collections.abc import Mapping
from typing import Any

from gatehouse.auth.tokens.claim_names import ClaimName, ClaimNames
from gatehouse.auth.tokens.signed import BadToken, date
from gatehouse.identity.identifiers import MAX_LENGTH, identifier
from gatehouse.identity.principal import Principal
from gatehouse.storage.digest import digest_of

# What only an ID token has (OpenID Connect Core sections 2 and 3.3.2.11), or a logout token (`events`).
# They say something to the client of the issuer, and are no permission to call anybody. Keycloak before 25
# puts `nonce` into access tokens too, and newer ones do so with the mapper "Nonce backwards compatible".
OTHER_TOKENS_CLAIMS = frozenset({"nonce", "at_hash", "c_hash", "s_hash", "events"})
OTHER_TOKENS_TYPES = frozenset({"ID", "Logout", "Refresh", "Offline"})  # Keycloak's claim `typ`


def principal_of(claims: dict[str, Any], token: str, max_lifetime: float, names: ClaimNames) -> Principal:
    """Return the principal that the claims of a verified access token name.

    `max_lifetime` is in seconds, from `iat` to `exp`. Raises BadToken.
    """
    issued, expires = date(claims, "iat"), date(claims, "exp")
    if expires - issued > max_lifetime:
        raise BadToken("the lifetime is longer than GATEHOUSE_JWT_MAX_LIFETIME")
    if is_for_another_use(claims):
        raise BadToken("it is an ID token, or another that is no access token")
    return named_principal(
        claims,
        names,
        credential_id=identifier_in(claims, ClaimName(("jti",))) if "jti" in claims else fingerprint(token),
        expires_at=float(expires),
    )


def named_principal(
    claims: Mapping[str, Any],
    names: ClaimNames,
    *,
    credential_id: str,
    expires_at: float | None,
    grants: frozenset[str] = frozenset(),
) -> Principal:
    """Return whom the claims name; `grants` are further scopes. Raises BadToken."""
    if "sub" in claims:  # also where another claim names the user
        identifier_in(claims, ClaimName(("sub",)))
    return Principal(
        tenant_id=names.fixed_tenant or identifier_in(claims, names.tenant_id),
        user_id=_user_id(claims, names),
        name=display_name(names.name.value(claims)),
        scopes=_scopes(claims, names) | grants,
        credential="jwt",
        credential_id=credential_id,
        expires_at=expires_at,
        plan=_optional(claims, names.plan),
        claims={
            name: identifier_in(claims, claim)
            for name, claim in names.further.items()
            if claim.value(claims) is not None
        },
    )


def is_for_another_use(claims: Mapping[str, Any]) -> bool:
    """Tell whether a token is genuine, but was not made to call anybody with."""
    return bool(
        OTHER_TOKENS_CLAIMS & claims.keys()
        # Amazon Cognito tells its ID tokens by `token_use` only, Keycloak some of its tokens by `typ`
        or claims.get("token_use", "access") != "access"
        or str(claims.get("typ")) in OTHER_TOKENS_TYPES
    )


def identifier_in(claims: Mapping[str, Any], name: ClaimName) -> str:
    """Return a claim that names somebody or something. Raises BadToken."""
    value = name.value(claims)
    if value is None:
        raise BadToken(f"the claim {name} is missing")
    try:
        return identifier(value)
    except ValueError:
        raise BadToken(f"{name} does not name anything") from None


def fingerprint(token: str) -> str:
    """Return what names a token that has no `jti`: a digest of what is signed, not of the signature.

    Whoever holds an ECDSA signature (r, s) can write (r, n - s), which is as good: the token would go on
    under another name when it was revoked.
    """
    return digest_of(token.rpartition(".")[0])[:32]


def display_name(name: object) -> str:
    """Return the name that pages show. Unlike an identifier, an odd one is no reason to refuse the token."""
    return "".join(filter(str.isprintable, name))[:MAX_LENGTH] if isinstance(name, str) else ""


def _user_id(claims: Mapping[str, Any], names: ClaimNames) -> str:
    """Return who the user is. A framework's own claim may be a number, as a row's id is; `sub` may not."""
    value = names.user_id.value(claims)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0 and not names.by_sub:
        return identifier(str(value))
    return identifier_in(claims, names.user_id)


def _optional(claims: Mapping[str, Any], name: ClaimName) -> str | None:
    return None if name.value(claims) is None else identifier_in(claims, name)


def _scopes(claims: Mapping[str, Any], names: ClaimNames) -> frozenset[str]:
    """Return the scopes of every claim: one is a string that spaces separate (RFC 8693), or a list."""
    found: set[str] = set()
    for name in names.scopes:
        value = name.value(claims)
        items = value.split(" ") if isinstance(value, str) else [] if value is None else value
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise BadToken(f"{name} is neither a string nor a list of strings")
        found.update(items)
    prefix = names.scope_prefix
    return frozenset(item.removeprefix(prefix) for item in found if item.startswith(prefix)) - {""}
