"""Who calls, as another server is told: a short-lived token for that server alone, never the caller's own.

It is one of ours, or what an issuer gives for one of ours (token exchange, RFC 8693). The caller's own token
is not what is exchanged: a run goes on after it has expired, in another process too, and keeps none.
"""

import time
from collections import OrderedDict
from typing import Any
from uuid import uuid4

import httpx2
import jwt
from pydantic import BaseModel, Field, ValidationError

from gatehouse.identity.caller import Caller
from gatehouse.settings.mcp import McpServer, TokenExchange

LIFETIME = 60  # seconds; a call sends its token when it begins
MARGIN = 30  # seconds before its end, in which an exchanged token is not used any more
MOST_KEPT = 1000  # exchanged tokens, of the callers who called last
TOKEN_TYPE = "urn:ietf:params:oauth:token-type:"  # noqa: S105  # the beginning of a type's name


class NoToken(Exception):
    """The issuer gives no token for the caller; the message says why, without what the issuer said."""


class Exchanged(BaseModel):
    """What an issuer answers (RFC 8693 section 2.2)."""

    access_token: str = Field(min_length=1)
    token_type: str = Field("Bearer", pattern="(?i)^bearer$")
    expires_in: float = 0


class Identity:
    """What names callers to one server. `issuer` is who signs, as the server knows us."""

    def __init__(self, server: McpServer, issuer: str) -> None:
        self._server = server
        self._issuer = issuer
        self._kept: OrderedDict[tuple[str, str], tuple[str, float]] = OrderedDict()

    async def headers(self, caller: Caller) -> dict[str, str]:
        """Return the header that names the caller; nothing for a server that wants none. Raises NoToken."""
        if self._server.secret is None:
            return {}
        exchange = self._server.exchange
        token = self._ours(caller) if exchange is None else await self._exchanged(exchange, caller)
        return {"authorization": f"Bearer {token}"}

    def _ours(self, caller: Caller) -> str:
        """Return a token of ours (HS256), for the server or for the issuer that exchanges it."""
        server, now = self._server, int(time.time())
        for_server = server.audience or str(server.url)
        claims = {
            "iss": self._issuer,
            "aud": str(server.exchange.endpoint) if server.exchange else for_server,
            "sub": caller.user_id,
            "tenant_id": caller.tenant_id,
            "name": caller.user_name,
            "scope": server.scope,
            "iat": now,
            "exp": now + LIFETIME,
            "jti": str(uuid4()),
        }
        secret = server.secret.get_secret_value() if server.secret else ""
        return jwt.encode(claims, secret, algorithm="HS256", headers={"typ": "at+jwt"})

    async def _exchanged(self, exchange: TokenExchange, caller: Caller) -> str:
        key = (caller.tenant_id, caller.user_id)
        token, until = self._kept.get(key, ("", 0.0))
        if until <= time.time():
            answer = await exchanged(exchange, self._server, self._ours(caller))
            token, until = answer.access_token, time.time() + answer.expires_in - MARGIN
            self._kept[key] = token, until
        self._kept.move_to_end(key)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return token


async def exchanged(exchange: TokenExchange, server: McpServer, ours: str) -> Exchanged:
    """Return what the issuer gives for a token of ours. Raises NoToken."""
    form: dict[str, Any] = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": ours,
        "subject_token_type": f"{TOKEN_TYPE}jwt",
        "requested_token_type": f"{TOKEN_TYPE}access_token",
        "resource": str(server.url),
        "audience": server.audience,
        "scope": server.scope,
    }
    client = httpx2.BasicAuth(exchange.client_id, exchange.client_secret.get_secret_value())
    try:
        async with httpx2.AsyncClient(timeout=server.timeout, trust_env=False) as http:
            answer = await http.post(
                str(exchange.endpoint), data={name: said for name, said in form.items() if said}, auth=client
            )
        if answer.status_code != httpx2.codes.OK:
            raise NoToken(f"the issuer has answered {answer.status_code}")
        return Exchanged.model_validate_json(answer.content)
    except httpx2.HTTPError as error:
        raise NoToken(f"the issuer does not answer: {type(error).__name__}") from error
    except ValidationError as error:
        raise NoToken("the issuer's answer is none") from error
