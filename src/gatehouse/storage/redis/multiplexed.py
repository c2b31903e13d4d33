"""One connection to Redis that many callers share: calls leave together, and answers come in their order.

A connection of redis-py's own pool serves one caller at a time. To take it, guard it, read it as a stream
and give it back costs more CPU than all else that a call needs (bench/results/identity.md). redis-py opens
this one too, so that addresses, TLS and passwords are its concern.
"""

import asyncio
from collections import deque
from typing import Any
from weakref import WeakKeyDictionary

from hiredis import ProtocolError, PushNotification, Reader, pack_command
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    NoScriptError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeout

LOOK_EVERY = 0.25  # seconds between two looks at calls that have no answer
SILENCE = 5.0  # seconds after which a connection that owes an answer is given up; longer than a call waits
NOTHING = object()
NOT_PRIMARY = ("READONLY", "MASTERDOWN")  # in what a server answers that another has replaced
OF_WORD: dict[str, type[ResponseError]] = {
    "NOSCRIPT": NoScriptError,
    "MOVED": MovedError,
    "ASK": AskError,
    "TRYAGAIN": TryAgainError,
    "CLUSTERDOWN": ClusterDownError,
}
ASKING = pack_command(("ASKING",))


class NoAnswer(RedisTimeout, TimeoutError):
    """Redis has not answered in time: nobody knows whether it will obey."""


def is_of_replica(text: str) -> bool:
    """Tell whether a server's error means that it takes no writes: the primary is another one now."""
    return any(word in text for word in NOT_PRIMARY)


class Multiplexed:
    """The connection of a client that its callers share. It is opened when it is needed, and replaced."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._connection: AbstractConnection | None = None
        self._line: Line | None = None
        self._opening = asyncio.Lock()

    async def call(self, seconds: float, *command: Any) -> Any:
        """Return Redis's answer. Raises RedisError, of which NoAnswer is one.

        A call on a connection that turns out to be closed is made again on a new one: Redis or a firewall may
        have closed it while nobody used it. Whoever calls must bear that Redis has obeyed twice.
        """
        packed = pack_command(command)
        line = self._line
        if line is not None and line.is_open:
            try:
                return await line.call(packed, seconds)
            except RedisConnectionError:
                pass
        try:
            async with asyncio.timeout(seconds):
                line = await self._opened()
                return await line.call(packed, seconds)
        except NoAnswer:
            raise
        except TimeoutError as error:
            raise NoAnswer("Redis does not answer") from error

    async def call_asking(self, seconds: float, *command: Any) -> Any:
        """Return the answer of a server of a cluster to which a slot is moving. Raises as `call` does."""
        try:
            async with asyncio.timeout(seconds):
                line = await self._opened()
                asked = line.call(ASKING, seconds)
                answer = line.call(pack_command(command), seconds)  # ASKING holds for the next command
                await asked
                return await answer
        except NoAnswer:
            raise
        except TimeoutError as error:
            raise NoAnswer("Redis does not answer") from error

    async def _opened(self) -> "Line":
        async with self._opening:
            if self._line is None or not self._line.is_open:
                await self._give_back()
                self._connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
                self._line = Line(self._connection)
            return self._line

    async def _give_back(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                await connection.disconnect(nowait=True)
            finally:
                await self._pool.release(connection)


class Line(asyncio.Protocol):
    """An open connection, on which nobody else writes or reads any more."""

    def __init__(self, connection: AbstractConnection) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport = connection._writer.transport  # type: ignore[union-attr,assignment]  # noqa: SLF001  # redis-py has no other way to it
        self._redis_py = self._transport.get_protocol()
        self._reader = Reader(replyError=error_of, notEnoughData=NOTHING)
        self._waiting: deque[tuple[asyncio.Future[Any], float, float]] = deque()  # called at, waits until
        self._unsent: list[bytes] = []
        self._looking: asyncio.TimerHandle | None = None
        self._is_silent = False
        self.is_open = not self._transport.is_closing()
        self._transport.set_protocol(self)

    def call(self, packed: bytes, seconds: float) -> asyncio.Future[Any]:
        """Return what the answer will be: RedisError, which is NoAnswer after so many seconds."""
        answer: asyncio.Future[Any] = self._loop.create_future()
        now = self._loop.time()
        if not self._waiting:
            self._transport.write(packed)
        else:  # there may be more of them
            if not self._unsent:
                self._loop.call_soon(self._send)
            self._unsent.append(packed)
        self._waiting.append((answer, now, now + seconds))
        if self._looking is None:
            self._looking = self._loop.call_later(LOOK_EVERY, self._look)
        return answer

    def _send(self) -> None:
        unsent, self._unsent = self._unsent, []
        if self._transport.is_closing():  # who waits is told when it is closed; uvloop raises for a write
            return
        self._transport.write(b"".join(unsent))

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not NOTHING:
                if isinstance(reply, PushNotification):
                    continue
                if isinstance(reply, RedisConnectionError):  # a replica: with who asks again, the primary
                    self.is_open = False
                self._tell(reply)
            if not self.is_open:
                self._give_up()
        except (ProtocolError, IndexError):  # no Redis, or an answer that nobody asked for
            self._give_up()

    def _tell(self, reply: Any) -> None:
        answer, _, _ = self._waiting.popleft()
        if answer.done():  # who asked did not wait
            return
        if isinstance(reply, RedisError):
            answer.set_exception(reply)
        else:
            answer.set_result(reply)

    def _look(self) -> None:
        """Tell those whose time is over, and give up a connection on which nothing comes."""
        now = self._loop.time()
        for answer, _, until in self._waiting:
            if until <= now and not answer.done():
                answer.set_exception(NoAnswer("Redis does not answer"))
        if self._waiting and self._waiting[0][1] <= now - SILENCE:
            self._is_silent = True
            self._give_up()
        self._looking = self._loop.call_later(LOOK_EVERY, self._look) if self._waiting else None

    def _give_up(self) -> None:
        self.is_open = False
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self._looking is not None:
            self._looking.cancel()
        for answer, _, _ in self._waiting:
            if not answer.done():
                answer.set_exception(
                    NoAnswer("Redis does not answer")
                    if self._is_silent
                    else RedisConnectionError("Redis closed the connection")
                )
        self._waiting.clear()
        self._redis_py.connection_lost(exc)


def error_of(text: str) -> RedisError:
    """Return the error that Redis answered with."""
    if is_of_replica(text):
        return RedisConnectionError("Redis is a replica now")
    word, _, rest = text.partition(" ")
    return OF_WORD[word](rest) if word in OF_WORD else ResponseError(text)


_of_pools: WeakKeyDictionary[ConnectionPool, Multiplexed] = WeakKeyDictionary()


def multiplexed(redis: Redis) -> Multiplexed:
    """Return the shared connection of a client."""
    pool = redis.connection_pool
    if pool not in _of_pools:
        _of_pools[pool] = Multiplexed(pool)
    return _of_pools[pool]
