"""The database and Redis as a server opens them: waited for at the start, and never without end."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from typing import TypeVar

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.settings import Settings
from gatehouse.storage.database import (
    NO_ROW_SECURITY,
    above_row_security,
    open_engine,
    unreachable,
)
from gatehouse.storage.redis.cluster.client import ClusterRedis
from gatehouse.storage.redis.cluster.nodes import Nodes, is_cluster_url
from gatehouse.storage.redis.pool import pool_of
from gatehouse.storage.redis.script import Clustered
from gatehouse.storage.schema import Schema, schemas_of, why_not_ready
from gatehouse.storage.valkey import CannotRun, running_valkey

log = structlog.get_logger(__name__)

Entered = TypeVar("Entered")

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 4.0  # seconds between two tries at the start


class CannotStart(Exception):
    """A configured part cannot work; the message says which and how to mend it."""


class Unreachable(CannotStart):
    """It does not answer, or is not as it has to be. It may be about to be, as this process is."""


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """Yield the database when it can be used. Raises CannotStart."""
    try:
        engine = open_engine(settings.database, settings.database_pool)
    except ValueError as error:
        raise CannotStart(f"database: {error}") from None
    try:
        await waited_for(lambda: reached(engine), settings.start_patience)
        await waited_for(lambda: up_to_date(engine, schemas_of(settings)), settings.start_patience)
        if not settings.development and await above_row_security(engine):
            raise CannotStart(f"database: {NO_ROW_SECURITY}")
        yield engine
    finally:
        await engine.dispose()


@asynccontextmanager
async def open_redis(settings: Settings) -> AsyncIterator[Redis]:
    """Yield a client of the configured Redis, or of the data folder's Valkey. Raises CannotStart."""
    if settings.redis_url is not None:
        async with connected(settings.redis_url.get_secret_value(), settings) as redis:
            yield redis
        return
    try:
        async with in_thread(running_valkey(settings.data_dir)) as url, connected(url, settings) as redis:
            yield redis
    except CannotRun as error:
        raise CannotStart(f"Redis: {error}") from None


@asynccontextmanager
async def connected(url: str, settings: Settings) -> AsyncIterator[Redis]:
    """Yield a client of the Redis at a URL, or of the cluster that it is of, when it has answered.

    Raises CannotStart.
    """
    redis = opened_redis(url, settings.redis_pool)
    try:
        await waited_for(lambda: answered(redis), settings.start_patience)
        if not isinstance(redis, Clustered) and await is_of_a_cluster(redis):
            await redis.aclose()
            redis = ClusterRedis(Nodes(url, settings.redis_pool))
            await waited_for(lambda: answered(redis), settings.start_patience)
        yield redis
    finally:
        await redis.aclose()


def opened_redis(url: str, connections: int) -> Redis:
    """Return a client of what a URL names. Raises CannotStart."""
    try:
        return ClusterRedis(Nodes(url, connections)) if is_cluster_url(url) else redis_of(url, connections)
    except ValueError as error:
        raise unusable_redis(error) from None


async def waited_for(asked: Callable[[], Awaitable[Entered]], seconds: float) -> Entered:
    """Return what `asked` does when it does not raise Unreachable; after so many seconds, raise that."""
    until = time.monotonic() + seconds
    pause = FIRST_PAUSE
    while True:
        try:
            return await asked()
        except Unreachable as error:
            if time.monotonic() + pause > until:
                raise
            log.warning("start waits", reason=str(error), seconds=round(until - time.monotonic()))
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


async def reached(engine: AsyncEngine) -> None:
    """Return when the database has answered. Raises Unreachable."""
    if reason := await unreachable(engine):
        raise Unreachable(f"database: {reason}")


async def up_to_date(engine: AsyncEngine, schemas: Sequence[Schema]) -> None:
    """Return when the schemas are those of this release: a migration may be at work. Raises Unreachable."""
    if reason := await why_not_ready(engine, schemas):
        raise Unreachable(f"database: {reason}")


async def answered(redis: Redis) -> None:
    """Return when Redis has answered. Raises CannotStart."""
    try:
        await redis.ping()
    except (RedisError, OSError) as error:
        raise Unreachable(f"Redis: GATEHOUSE_REDIS_URL cannot be reached ({type(error).__name__})") from error
    except (TypeError, ValueError, OverflowError) as error:  # an option or a port that there is not
        raise unusable_redis(error) from None


async def is_of_a_cluster(redis: Redis) -> bool:
    """Tell whether Redis is one of a cluster; False also where the user may not ask that."""
    try:
        return bool((await redis.info("cluster"))["cluster_enabled"])
    except (ResponseError, KeyError):
        return False


def unusable_redis(error: Exception) -> CannotStart:
    """Return what to raise for a URL that is wrong; redis-py's own error may quote it with its password."""
    return CannotStart(
        f"Redis: GATEHOUSE_REDIS_URL cannot be used ({type(error).__name__}): it has the form "
        "redis://user:password@host:6379/0, or rediss:// for TLS, or "
        "redis+sentinel://user:password@host:26379,host2:26379/name/0, or "
        "redis+cluster://user:password@host:6379,host2:6379, what is special in the password as %XX"
    )


@asynccontextmanager
async def in_thread(manager: AbstractContextManager[Entered]) -> AsyncIterator[Entered]:
    """Enter and leave what blocks, outside the event loop."""
    entered = await asyncio.to_thread(manager.__enter__)
    try:
        yield entered
    finally:
        await asyncio.to_thread(manager.__exit__, None, None, None)


def redis_of(url: str, connections: int) -> Redis:
    """Return a client whose callers wait for a free connection: in a burst, redis-py's own pool raises.

    A connection that Redis closed while nobody used it is replaced before it is used, and one to a server
    that is no primary any more. Raises ValueError.
    """
    pool = pool_of(url, connections)
    return Redis.from_pool(pool)
