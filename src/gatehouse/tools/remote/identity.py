"""Who calls, as another server is told: a token of ours for that server alone, never the caller's own."""

import time
from uuid import uuid4

import jwt

from gatehouse.identity.caller import Caller
from gatehouse.settings.mcp import McpServer

LIFETIME = 60  # seconds; a call sends its token when it begins


def token_for(server: McpServer, issuer: str, caller: Caller) -> str:
    """Return a token (HS256) that names the caller, for a server with a secret. Raises ValueError without."""
    if server.secret is None:
        raise ValueError("This server shares no secret.")
    now = int(time.time())
    claims = {
        "iss": issuer,
        "aud": server.audience or str(server.url),
        "sub": caller.user_id,
        "tenant_id": caller.tenant_id,
        "name": caller.user_name,
        "scope": server.scope,
        "iat": now,
        "exp": now + LIFETIME,
        "jti": str(uuid4()),
    }
    return jwt.encode(claims, server.secret.get_secret_value(), algorithm="HS256", headers={"typ": "at+jwt"})
