"""A JSON Web Key Set (RFC 7517) as the keys of an issuer."""

import json
from typing import Any

from jwt import PyJWK, PyJWTError

from gatehouse.auth.configuration import BadConfiguration
from gatehouse.auth.tokens.keys import RSA_ALGORITHMS, USUAL, KeySet, VerificationKey, verification_key

ALGORITHMS: dict[tuple[str, str | None], tuple[str, ...]] = {
    ("RSA", None): RSA_ALGORITHMS,
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA",),
}
PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


def keys_from_jwks(document: bytes, setting: str, wanted: tuple[str, ...] = ()) -> KeySet:
    """Return the signature keys of a JWKS document; `setting` names its source in errors.

    A key is for the algorithm that it names. An RSA key that names none is for those that are `wanted`, or
    for RS256.

    Keys for encryption and for algorithms that are not served are passed over, as RFC 7517 section 5
    asks. Raises BadConfiguration for what is no JWKS, for symmetric, private, weak or broken keys, for
    keys that their ids don't tell apart, and when none is left.
    """
    members = _members(document, setting)
    keys = [
        [_key(jwk, algorithm, setting) for algorithm in algorithms]
        for jwk in members
        if (algorithms := _algorithms(jwk, wanted))
    ]
    if not keys:
        raise BadConfiguration(f"{setting} holds no signature key for RS*, PS*, ES* or EdDSA.")
    kids = [key[0].kid for key in keys]
    if len(keys) > 1 and (None in kids or len(set(kids)) < len(kids)):
        raise BadConfiguration(f"{setting} holds several keys: give each a `kid` of its own.")
    return KeySet(tuple(each for key in keys for each in key))


def _members(document: bytes, setting: str) -> list[dict[str, Any]]:
    try:
        members = json.loads(document)["keys"]
    except (ValueError, TypeError, KeyError, RecursionError):
        members = None
    if not isinstance(members, list) or not all(isinstance(jwk, dict) for jwk in members):
        raise BadConfiguration(f'{setting} holds no JWKS: a JSON object with a list "keys".')
    if any(jwk.get("kty") == "oct" or PRIVATE_MEMBERS & jwk.keys() for jwk in members):
        raise BadConfiguration(f"{setting} holds a secret or private key: a JWKS for verifying has none.")
    return members


def _algorithms(jwk: dict[str, Any], wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Return the algorithms that the key verifies for us, none when it serves another end."""
    curve = jwk.get("crv")
    fitting = ALGORITHMS.get((str(jwk.get("kty")), curve if curve is None else str(curve)), ())
    uses = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(uses, list) or "verify" not in uses:
        return ()
    if "alg" in jwk:
        return (jwk["alg"],) if jwk["alg"] in fitting else ()
    if len(fitting) <= 1:
        return fitting
    return tuple(name for name in fitting if name in wanted) or USUAL


def _key(jwk: dict[str, Any], algorithm: str, setting: str) -> VerificationKey:
    kid = jwk.get("kid")
    if not isinstance(kid, str | None):
        raise BadConfiguration(f"{setting} holds a key whose `kid` is not a string.")
    try:
        key = PyJWK(jwk, algorithm).key
    except (PyJWTError, ValueError, TypeError):
        raise BadConfiguration(f"{setting} holds a key that cannot be read (kid {kid!r}).") from None
    return verification_key(key, kid, setting, algorithm)
