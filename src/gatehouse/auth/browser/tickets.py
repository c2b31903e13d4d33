"""Tickets: for half a minute one stands for a credential where a browser can set no header.

That is an EventSource and a WebSocket. A ticket is in an address, so it must be worth nothing to whoever
reads that address later: it works once over all replicas, for one route, for 30 s.
"""

import re
import secrets
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError
from redis.asyncio import Redis

from gatehouse.identity.principal import Principal
from gatehouse.storage.digest import digest_of

PARAMETER = "ticket"  # of the query
LIFETIME = 30  # seconds
TOKEN_BYTES = 32
MAX_TOKEN = 64  # characters; ours have 43

# What opens a stream by an address alone. Every other route takes headers.
ROUTES = re.compile(r"/ws/chat/?|/api/(chat/)?stream|/api/runs/[0-9a-f-]{36}/stream")


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a ticket stands for: a principal, on one route."""

    principal: Principal
    route: str


TICKET = TypeAdapter(Ticket)


class Tickets:
    """The tickets of this deployment. Redis forgets each when it was used, or after 30 s."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def issue(self, principal: Principal, route: str) -> str:
        """Return a ticket that stands for `principal` on `route`, a path. Raises ValueError for another."""
        if not ROUTES.fullmatch(route):
            raise ValueError("no stream is opened there by its address alone")
        token = secrets.token_urlsafe(TOKEN_BYTES)
        await self._redis.set(_key(token), TICKET.dump_json(Ticket(principal, route)), ex=LIFETIME)
        return token

    async def redeem(self, token: str, path: str) -> Principal | None:
        """Return whom a ticket stands for on `path`, and use it up; None when it was used or is another's."""
        if len(token) > MAX_TOKEN:
            return None
        kept = await self._redis.getdel(_key(token))
        if kept is None:
            return None
        try:
            ticket = TICKET.validate_json(kept)
        except ValidationError:  # another release wrote it: its owner asks for another
            return None
        return ticket.principal if ticket.route == path else None


def _key(token: str) -> str:
    return f"gh:ticket:{digest_of(token)}"
