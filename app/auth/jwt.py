"""JSON Web Tokens as credentials (RFC 7519, 8725, 9068)."""

from typing import Any, Self

import jwt
import structlog

from app.auth.claims import BadClaims, principal_of
from app.auth.configuration import BadConfiguration
from app.auth.key_source import load_keys
from app.auth.keys import KeySet
from app.auth.principal import Principal
from app.errors import InvalidCredential
from app.settings import Settings

log = structlog.get_logger(__name__)

MAX_TOKEN = 8192  # characters, as many as bytes: a token is ASCII
TYPES = frozenset({"jwt", "at+jwt"})  # RFC 9068 section 2.1; a token without `typ` is taken too
REQUIRED = ("iss", "aud", "sub", "exp", "iat")
# Headers by which a token brings its own key, or means something else than a plain signed JSON object.
# PyJWT ignores all but `crit` and `b64`, and of those it takes some.
REFUSED_HEADERS = frozenset({"crit", "b64", "jku", "jwk", "x5u", "x5c", "enc", "zip", "cty"})


class BadHeader(ValueError):
    """The token's header asks for what is not served. The message holds nothing of the token."""


class JwtVerifier:
    """Verifies the tokens of one issuer for one audience."""

    def __init__(
        self, keys: KeySet, *, issuer: str, audience: str, leeway: float, max_lifetime: float
    ) -> None:
        """`leeway` and `max_lifetime` are in seconds. Raises BadConfiguration for an empty name."""
        if not (issuer and audience):
            raise BadConfiguration("GATEHOUSE_ISSUER and GATEHOUSE_AUDIENCE must not be empty.")
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._leeway = leeway
        self._max_lifetime = max_lifetime

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return the verifier that the settings describe. Reads key files. Raises BadConfiguration."""
        return cls(
            load_keys(settings),
            issuer=settings.issuer,
            audience=settings.audience,
            leeway=settings.jwt_leeway,
            max_lifetime=settings.jwt_max_lifetime,
        )

    def verify(self, token: str) -> Principal:
        """Return whom the token names. Raises InvalidCredential for anything that is wrong with it."""
        try:
            return principal_of(self._claims(token), token, self._max_lifetime)
        except (BadHeader, BadClaims) as error:
            log.info("token refused", reason=str(error))
        except Exception as error:  # whatever a token does to the parser, it is a bad token
            log.info("token refused", reason=type(error).__name__)
        raise InvalidCredential

    def _claims(self, token: str) -> dict[str, Any]:
        if len(token) > MAX_TOKEN or not token.isascii():
            raise BadHeader("it is not ASCII of at most 8 kB")
        header = jwt.get_unverified_header(token)
        _check(header)
        key = self._keys.find(header["alg"], header.get("kid"))
        if key is None:
            raise BadHeader("no key fits its alg and kid")
        return jwt.decode(
            token,
            key.material,
            algorithms=[key.algorithm],
            audience=self._audience,
            issuer=self._issuer,
            leeway=self._leeway,
            options={"require": list(REQUIRED), "enforce_minimum_key_length": True},
        )


def _check(header: dict[str, Any]) -> None:
    if REFUSED_HEADERS & header.keys():
        raise BadHeader("its header asks for an extension, or brings a key")
    if not isinstance(header.get("alg"), str):
        raise BadHeader("its alg is not a string")
    typ = header.get("typ", "JWT")
    if not isinstance(typ, str) or typ.lower().removeprefix("application/") not in TYPES:
        raise BadHeader("its typ is not that of an access token")
