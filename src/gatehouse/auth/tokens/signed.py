"""A signed token of the issuer: its header, signature, issuer, audience and dates (RFC 7515, 7519, 8725)."""

import json
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import jwt
import structlog
from jwt.exceptions import MissingRequiredClaimError
from jwt.utils import base64url_decode

from gatehouse.auth.tokens.keys import VerificationKey
from gatehouse.problems.errors import ApiError, InvalidCredential

log = structlog.get_logger(__name__)

MAX_TOKEN = 8192  # characters, as many as bytes: a token is ASCII
COMPACT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)  # RFC 7515 section 7.1; PyJWT takes padding too
# Headers by which a token brings its own key, or means something else than a plain signed JSON object.
# PyJWT ignores all but `crit` and `b64`, and of those it takes some.
REFUSED_HEADERS = frozenset({"crit", "b64", "jku", "jwk", "x5u", "x5c", "enc", "zip", "cty"})
LATEST_DATE = 253_402_300_800  # the year 10000: no token is about later, and no float overflows

Result = TypeVar("Result")


class BadToken(ValueError):
    """The token is not acceptable. The message says why, and holds nothing of the token."""


class UnknownKey(InvalidCredential):
    """No key fits the token. The issuer may have a new one."""


class Finds(Protocol):
    """Keys, of which one can be found."""

    def find(self, algorithm: str, kid: str | None) -> VerificationKey | None: ...


@dataclass(frozen=True, slots=True)
class Expected:
    """What a kind of token has to be. `types` are in lower case; a token without `typ` is taken too.

    `audience` may be several, of which the token names one; None leaves the audience to the caller. `leeway`
    is in seconds.
    """

    issuer: str
    audience: str | Sequence[str] | None
    types: Collection[str]
    required: tuple[str, ...]
    leeway: float


def verified(read: Callable[[], Result]) -> Result:
    """Return what reading a token returns. Raises InvalidCredential for anything that is wrong with it.

    Only what says more passes: UnknownKey, and Unavailable when there are no keys.
    """
    try:
        return read()
    except ApiError:
        raise
    except jwt.MissingRequiredClaimError as error:
        reason = f"the claim {error.claim} is missing"
    except BadToken as error:
        reason = str(error)
    except MissingRequiredClaimError as error:
        reason = f"it has no claim {error.claim}"
    except Exception as error:  # whatever a token does to the parser, it is a bad token
        reason = type(error).__name__
    log.info("token refused", reason=reason)
    raise InvalidCredential


def signed_claims(token: str, keys: Finds, expected: Expected) -> dict[str, Any]:
    """Return the claims of a token whose signature, issuer, audience and dates are right.

    Raises BadToken, UnknownKey, and whatever PyJWT raises: call it within `verified`.
    """
    if len(token) > MAX_TOKEN or not COMPACT.fullmatch(token):
        raise BadToken("it is not three parts of base64url of at most 8 kB")
    for part in token.split(".")[:2]:
        json.loads(base64url_decode(part).decode(), object_pairs_hook=_unique)
    header = jwt.get_unverified_header(token)
    _check(header, expected.types)
    key = keys.find(header["alg"], header.get("kid"))
    if key is None:
        raise UnknownKey
    claims: dict[str, Any] = jwt.decode(
        token,
        key.material,
        algorithms=[key.algorithm],
        audience=expected.audience,
        issuer=expected.issuer,
        leeway=expected.leeway,
        options={
            "require": list(expected.required),
            "enforce_minimum_key_length": True,
            "verify_aud": expected.audience is not None,
        },
    )
    for name in ("iat", "exp", "nbf"):
        if name in claims:
            date(claims, name)
    return claims


def date(claims: dict[str, Any], name: str) -> float:
    """Return a NumericDate (RFC 7519 section 2). PyJWT lets strings, booleans and 10^400 pass.

    Raises BadToken.
    """
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < LATEST_DATE:
        raise BadToken(f"{name} is not a date")
    return value


def _unique(members: list[tuple[str, Any]]) -> None:
    """Refuse an object that names a member twice: who signed it may have read the other one.

    RFC 7515 section 4, RFC 7519 section 4. Raises BadToken.
    """
    if len(dict(members)) < len(members):
        raise BadToken("it names a member twice")


def _check(header: dict[str, Any], types: Collection[str]) -> None:
    if REFUSED_HEADERS & header.keys():
        raise BadToken("its header asks for an extension, or brings a key")
    if not isinstance(header.get("alg"), str):
        raise BadToken("its alg is not a string")
    typ = header.get("typ", "JWT")
    if not isinstance(typ, str) or typ.lower().removeprefix("application/") not in types:
        raise BadToken("its typ is not that of such a token")
