"""The servers of a Redis Cluster: which of them has a slot, and what to do when that changes."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit, urlunsplit

from redis.asyncio import Redis
from redis.exceptions import AskError, ClusterDownError, MovedError, RedisError, TryAgainError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeout

from gatehouse.storage.redis.addresses import Address, addresses_in, netloc_of
from gatehouse.storage.redis.multiplexed import multiplexed
from gatehouse.storage.redis.pool import pool_of
from gatehouse.storage.redis.slots import SLOTS

SCHEMES = {"redis+cluster": "redis", "rediss+cluster": "rediss"}
PORT = 6379
ASK_SECONDS = 1.0  # that the servers have to say who has which slot
ASK_EVERY = 0.25  # seconds between two times that they are asked
DIRECT = 3  # times that a call is made where it is pointed to without a pause
PAUSE = 0.05  # seconds before a call is made again to a slot that moves, or that nobody has

Answer = TypeVar("Answer")
# Makes a call to a server within so many seconds; `asking` when the call's slot is just moving to it
Call = Callable[[Redis, bool, float], Awaitable[Answer]]


def is_cluster_url(url: str) -> bool:
    return urlsplit(url).scheme in SCHEMES


class Nodes:
    """The servers of a cluster, of which a URL names some.

    `redis+cluster://user:password@host:6379,host2`, or `rediss+cluster://` for TLS; a plain URL names one.
    Each has a pool of `connections`. Raises ValueError.
    """

    def __init__(self, url: str, connections: int) -> None:
        self._url = urlsplit(url)
        self._login, addresses = addresses_in(self._url.netloc, PORT)
        if not addresses or self._url.path.strip("/") not in ("", "0"):
            raise ValueError("a URL of a cluster has the form redis+cluster://host:6379,host2:6379")
        self._connections = connections
        self._clients: dict[Address, Redis] = {}
        self._known = set(addresses)
        self._primaries: dict[int, Address] = {}
        self._refreshed = float("-inf")
        self._refreshing = asyncio.Lock()
        self.first = self.client(addresses[0])

    def client(self, address: Address) -> Redis:
        """Return the client of one server."""
        if address not in self._clients:
            scheme = SCHEMES.get(self._url.scheme, self._url.scheme)
            where = netloc_of(self._login, address)
            url = urlunsplit(SplitResult(scheme, where, "/0", self._url.query, ""))
            self._clients[address] = Redis.from_pool(pool_of(url, self._connections))
        return self._clients[address]

    async def primaries(self) -> list[Redis]:
        """Return a client of each server that has slots. Raises RedisError when none says which those are."""
        if not self._primaries:
            await self.refresh()
        return [self.client(address) for address in sorted(set(self._primaries.values()))]

    async def routed(self, slot: int | None, seconds: float, call: Call[Answer], again: bool) -> Answer:
        """Return the answer of the server that has the slot, any server's where there is none.

        A call that was not obeyed is made again, to whom the servers name, until its time is over; one whose
        answer was lost only where it may be obeyed twice (`again`). Raises RedisError.
        """
        until = time.monotonic() + seconds
        pointed: tuple[Address, bool] | None = None
        pointings = 0
        while True:
            try:
                client = self.client(pointed[0]) if pointed else await self._client_of(slot)
                left = max(until - time.monotonic(), 0.001)
                return await call(client, pointed is not None and pointed[1], left)
            except AskError as error:  # MovedError is one
                pointings += 1
                if pointings > DIRECT:  # they point to each other, as long as one takes the other's place
                    await self._pause(until)
                pointed = (self._address(error, client), not isinstance(error, MovedError))
                if isinstance(error, MovedError):
                    self._primaries[error.slot_id] = pointed[0]
                    await self.refresh()
            except (TryAgainError, ClusterDownError):
                await self._pause(until)
                pointed = None
            except RedisTimeout:
                self._doubt()
                raise
            except (RedisConnectionError, OSError):
                self._doubt()
                if not again:
                    raise
                await self._pause(until)
                pointed = None

    async def _pause(self, until: float) -> None:
        """Wait before a call is made again. Raises what is being handled when there is no time for that."""
        if time.monotonic() + PAUSE > until:
            raise  # noqa: PLE0704  # called where something is handled
        await asyncio.sleep(PAUSE)
        await self.refresh()

    async def _client_of(self, slot: int | None) -> Redis:
        if not self._primaries:
            await self.refresh()
        address = self._primaries.get(random.randrange(SLOTS) if slot is None else slot)  # noqa: S311
        if address is None:
            self._doubt()
            raise ClusterDownError("no server of the cluster has the slot")
        return self.client(address)

    def _address(self, error: AskError, told_by: Redis) -> Address:
        """Return to whom a server points; it names no host where that is its own."""
        host = error.host or str(told_by.connection_pool.connection_kwargs["host"])
        return host, error.port

    def _doubt(self) -> None:
        """Have the servers asked anew, soon."""
        self._refreshed = min(self._refreshed, time.monotonic() - ASK_EVERY)

    async def refresh(self) -> None:
        """Ask who has which slot, unless that was just done; where nobody says, all stays as it is."""
        async with self._refreshing:
            if time.monotonic() - self._refreshed < ASK_EVERY:
                return
            self._refreshed = time.monotonic()
            asked = [asyncio.create_task(self._slots_by(address)) for address in self._known]
            try:
                for answer in asyncio.as_completed(asked, timeout=2 * ASK_SECONDS):
                    try:
                        found = await answer
                    except (RedisError, OSError):
                        continue
                    if found:
                        self._primaries = found
                        return
            finally:
                for task in asked:
                    task.cancel()
                await asyncio.gather(*asked, return_exceptions=True)

    async def _slots_by(self, address: Address) -> dict[int, Address]:
        """Return who has which slot, by what one server says. Raises RedisError."""
        found: dict[int, Address] = {}
        ranges = await multiplexed(self.client(address)).call(ASK_SECONDS, "CLUSTER", "SLOTS")
        for first, last, primary, *replicas in ranges:
            here, *others = [address_of(server, address[0]) for server in (primary, *replicas)]
            self._known |= {here, *others}
            found |= dict.fromkeys(range(first, last + 1), here)
        return found

    async def aclose(self) -> None:
        for client in self._clients.values():
            await client.aclose()


def address_of(server: Iterable[Any], host: str) -> Address:
    """Return the address that CLUSTER SLOTS has of a server; `host` is of who was asked."""
    named, port, *_ = server
    text = named.decode() if isinstance(named, bytes) else str(named or "")
    return (text if text not in ("", "?") else host), int(port)
