"""Calls a script of Redis for every request, over connections that are kept for it."""

import asyncio
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from hiredis import pack_command
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError

MOST_IDLE = 16  # connections that the scripts of a client keep, and never more than a quarter of its pool
COMMAND_SECONDS = 4.0  # that Redis has for any command


_idle: WeakKeyDictionary[Any, list[AbstractConnection]] = WeakKeyDictionary()  # by the pools they are of


class Script:
    """A script, ready to be called.

    The client's own way takes a connection from the pool, guards it with timeouts and retries, and gives it
    back: more CPU than everything else that the call costs (bench/results/identity.md). A connection that
    broke while nobody used it is replaced. A call lasts `seconds` at most; redis-py's own timeouts are off,
    since before Python 3.12 they make a task for each command.
    """

    def __init__(self, redis: Redis, text: str, seconds: float) -> None:
        self._pool = redis.connection_pool
        self._ready = redis.register_script(text)
        self._seconds = seconds
        self._idle = _idle.setdefault(self._pool, [])
        self._most_idle = min(MOST_IDLE, self._pool.max_connections // 4)
        self._timeout: float | None = None  # of the pool's connections

    async def __call__(self, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Return what the script returns. Raises RedisError and OSError, of which TimeoutError is one."""
        async with asyncio.timeout(self._seconds):
            return await self._answered(keys, args)

    async def _answered(self, keys: Sequence[str], args: Sequence[Any]) -> Any:
        kept = bool(self._idle)
        connection = self._idle.pop() if kept else await self._new()
        try:
            answer = await self._call(connection, len(keys), *keys, *args)
        except BaseException as error:
            await connection.disconnect()
            await self._release(connection)
            if kept and isinstance(error, RedisConnectionError):
                return await self._ready(keys=keys, args=args)
            raise
        if len(self._idle) < self._most_idle:
            self._idle.append(connection)
        else:
            await self._release(connection)
        return answer

    async def _new(self) -> AbstractConnection:
        connection: AbstractConnection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
        self._timeout, connection.socket_timeout = connection.socket_timeout, None
        return connection

    async def _release(self, connection: AbstractConnection) -> None:
        connection.socket_timeout = self._timeout
        await self._pool.release(connection)

    async def _call(self, connection: AbstractConnection, *arguments: Any) -> Any:
        await connection.send_packed_command(pack_command(("EVALSHA", self._ready.sha, *arguments)))
        try:
            return await connection.read_response()
        except NoScriptError:  # a Redis that has just begun: it keeps the script from here on
            await connection.send_packed_command(pack_command(("EVAL", self._ready.script, *arguments)))
            return await connection.read_response()
