"""Connections to the Redis that takes writes: replaced when they broke, and when that is another one."""

from typing import Any

from redis.asyncio.connection import AbstractConnection, BlockingConnectionPool, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MasterDownError, ReadOnlyError, RedisError, ResponseError
from redis.maint_notifications import MaintNotificationsConfig

from gatehouse.storage.redis.multiplexed import is_of_replica
from gatehouse.storage.redis.script import COMMAND_SECONDS
from gatehouse.storage.redis.sentinels import Sentinels, sentinels_of

WAIT_SECONDS = 5  # that a call waits for a free connection
CONNECT_SECONDS = 3
OF_REPLICA = (ReadOnlyError, MasterDownError)  # redis-py takes the word that says so off their texts
CHECK_SECONDS = 15  # of idleness after which a connection is tried before it is used


class ToPrimary:
    """Mixed into a connection of redis-py: it finds the primary, and leaves a server that is none any more.

    redis-py itself keeps a connection on which every write is refused, for ever.
    """

    sentinels: Sentinels | None = None

    async def _connect(self) -> None:
        if self.sentinels is not None:
            self.host, self.port = await self.sentinels.primary()
        await super()._connect()  # type: ignore[misc]  # of the class that it is mixed into

    async def read_response(self, *arguments: Any, **options: Any) -> Any:
        try:
            return await super().read_response(*arguments, **options)  # type: ignore[misc]  # as above
        except ResponseError as error:
            if not isinstance(error, OF_REPLICA) and not is_of_replica(str(error)):
                raise
            await self.disconnect(nowait=True)  # type: ignore[attr-defined]  # as above
            raise RedisConnectionError("Redis is a replica now") from error


class PrimaryPool(BlockingConnectionPool):
    """Connections for which callers wait, each of which is known to be open when it is handed out."""

    def __init__(
        self, connection_class: type[AbstractConnection], sentinels: Sentinels | None = None, **options: Any
    ) -> None:
        attributes = {"sentinels": sentinels}
        own = type(f"Primary{connection_class.__name__}", (ToPrimary, connection_class), attributes)
        super().__init__(connection_class=own, **options)

    async def ensure_connection(self, connection: AbstractConnection) -> None:
        """Replace a connection that was closed while nobody used it, or that is silent after so long.

        redis-py hands both out, where it waits for notices of maintenance (RESP3).
        """
        if connection.is_connected and not await is_well(connection):
            await connection.disconnect(nowait=True)
        await super().ensure_connection(connection)


async def is_well(connection: AbstractConnection) -> bool:
    """Tell whether a connection that was idle can be used."""
    reader, writer = connection._reader, connection._writer  # noqa: SLF001  # redis-py has no other way to it
    if reader is None or writer is None or reader.at_eof() or writer.transport.is_closing():
        return False
    try:
        await connection.check_health()  # type: ignore[no-untyped-call]
    except (RedisError, OSError):
        return False
    return True


def pool_of(url: str, connections: int) -> PrimaryPool:
    """Return a pool of so many connections to the Redis at a URL, or to the primary that Sentinels name.

    No command waits for longer than `COMMAND_SECONDS`, and none is repeated by the client: whether a command
    whose answer was lost had its effect is for its caller to judge. Raises ValueError.
    """
    sentinels, url = sentinels_of(url)
    described = ConnectionPool.from_url(url)  # what a URL says is redis-py's to read
    options: dict[str, Any] = {
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": COMMAND_SECONDS,  # the longest blocking command takes one
        "health_check_interval": CHECK_SECONDS,
        "retry": Retry(NoBackoff(), 0),
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
        **({} if url.startswith("unix://") else {"socket_keepalive": True}),  # TCP's
    }
    given = {name: value for name, value in described.connection_kwargs.items() if name not in options}
    return PrimaryPool(
        described.connection_class,
        sentinels,
        max_connections=connections,
        timeout=WAIT_SECONDS,
        **given,
        **options,
    )
