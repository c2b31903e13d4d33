"""The development issuer: signs tokens with the shared secret that the server verifies them with."""

import time
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import uuid4

import jwt


def issue_token(
    secret: str,
    issuer: str,
    audience: str,
    user_id: str,
    tenant_id: str,
    name: str = "",
    scopes: Iterable[str] = (),
    lifetime: float = 3600,
    claims: Mapping[str, Any] | None = None,
) -> str:
    """Return an access token (HS256, RFC 9068) that is valid for `lifetime` seconds from now.

    `claims` adds further ones such as `portfolio_id`; it cannot replace those that the arguments set.
    """
    now = int(time.time())
    payload = {
        **(claims or {}),
        "iss": issuer,
        "aud": audience,
        "sub": user_id,
        "tenant_id": tenant_id,
        "name": name,
        "scope": " ".join(sorted(scopes)),
        "iat": now,
        "exp": now + int(lifetime),
        "jti": str(uuid4()),
    }
    return jwt.encode(payload, secret, algorithm="HS256", headers={"typ": "at+jwt"})
