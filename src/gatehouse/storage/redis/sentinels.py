"""Redis Sentinel: which of several servers is the primary now."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from gatehouse.storage.redis.addresses import addresses_in

SCHEMES = {"redis+sentinel": "redis", "rediss+sentinel": "rediss"}
PORT = 26379
ASK_SECONDS = 1.0  # that one Sentinel has


@dataclass(frozen=True, slots=True)
class Sentinels:
    """The Sentinels that know the primary called `name`."""

    addresses: tuple[tuple[str, int], ...]
    name: str
    options: dict[str, Any] = field(default_factory=dict, repr=False)

    async def primary(self) -> tuple[str, int]:
        """Return the address of the primary. Raises RedisError when no Sentinel knows one."""
        asked = Sentinel(  # type: ignore[no-untyped-call]
            self.addresses,
            sentinel_kwargs={
                "socket_timeout": ASK_SECONDS,
                "socket_connect_timeout": ASK_SECONDS,
                "retry": Retry(NoBackoff(), 0),  # there are others
                **self.options,
            },
        )
        try:
            host, port = await asked.discover_master(self.name)
        finally:
            for client in asked.sentinels:
                await client.aclose()
        return str(host), int(port)


def sentinels_of(url: str) -> tuple[Sentinels | None, str]:
    """Return the Sentinels that a URL names, and the URL of what they know; none for any other URL.

    `redis+sentinel://user:password@host:26379,host2/name/0`, or `rediss+sentinel://` for TLS; user and
    password are those of Redis. Raises ValueError.
    """
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        return None, url
    login, addresses = addresses_in(parts.netloc, PORT)
    name, _, database = parts.path.removeprefix("/").partition("/")
    if not addresses or not name:
        raise ValueError("a URL of Sentinels has the form redis+sentinel://host:26379,host2:26379/name/0")
    host = f"{login}@sentinel" if login else "sentinel"
    plain = SplitResult(SCHEMES[parts.scheme], host, f"/{database or 0}", parts.query, "")
    return Sentinels(addresses, unquote(name)), urlunsplit(plain)
