"""Tokens that are genuinely signed, whatever is wrong with them: a refusal is never for the signature."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

SECRET = "a secret that only the issuer and this server know: 0123456789"
ISSUER = "https://issuer.example"
AUDIENCE = "gatehouse"

DROP = object()
HEADER = {"alg": "HS256", "typ": "at+jwt"}


def encode(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def as_json(part: Mapping[str, Any] | str) -> bytes:
    """Text goes in as it is: json.dumps cannot write 1e400 or a name twice."""
    return (part if isinstance(part, str) else json.dumps(part)).encode()


def signed(header: Mapping[str, Any] | str, payload: Mapping[str, Any] | str, secret: bytes = b"") -> str:
    """Return a JWS with an HS256 signature over exactly this header and payload."""
    content = f"{encode(as_json(header))}.{encode(as_json(payload))}"
    return f"{content}.{encode(hmac.digest(secret or SECRET.encode(), content.encode(), hashlib.sha256))}"


def good_claims(**changes: Any) -> dict[str, Any]:
    """Return claims that are accepted, but for the changes; `DROP` leaves a claim out."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "alice",
        "tenant_id": "acme",
        "name": "Alice Martin",
        "scope": "runnable:chat runnable:agent",
        "iat": now,
        "exp": now + 600,
        "jti": "token-1",
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not DROP}


def token(header: Any = None, **changes: Any) -> str:
    """Return a token with these changes to a good one's claims, and additions to its header."""
    merged = {**HEADER, **(header or {})}
    return signed(
        {name: value for name, value in merged.items() if value is not DROP}, good_claims(**changes)
    )


def with_raw(name: str, literal: str) -> str:
    """Return a token in which a claim is this JSON text."""
    return signed(HEADER, json.dumps(good_claims(**{name: "@@"})).replace('"@@"', literal))
