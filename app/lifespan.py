"""Opens what the server needs, in order, and closes it in reverse."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TypedDict, cast

from fakeredis import FakeAsyncRedis, FakeServer
from fastapi import FastAPI
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncEngine
from sse_starlette.sse import AppStatus
from starlette.requests import HTTPConnection

from app.auth.authenticator import Authenticator, open_authenticator
from app.auth.token_keys import open_issuer
from app.database import NO_ROW_SECURITY, above_row_security, open_engine, why_not_ready
from app.limits.limits import Limits, limits_of
from app.runs.acting import BeforeActing
from app.runs.checkpoints import open_checkpoints
from app.runs.credentials import credentials_watched
from app.runs.engine import RunEngine
from app.runs.tending import open_runs
from app.settings import Settings
from app.telemetry.pseudonyms import Pseudonyms
from app.telemetry.runs import RunTelemetry
from app.telemetry.telemetry import Telemetry
from app.threads.history import ThreadHistory
from app.threads.store import ThreadStore
from app.usage.acts_on_record import tools_recorded
from app.usage.audit import AuditTrail
from app.usage.audit_purge import purging
from app.usage.bookkeeping import bookkeeping
from app.usage.store import UsageStore
from chains import registry
from chains.models import ChatModel, open_chat_model
from tools.portfolio.store import PortfolioStore
from tools.registry import Stores, build_tools

REDIS_CONNECTIONS = 100
REDIS_WAIT = 10  # seconds that a call waits for a free connection


class CannotStart(Exception):
    """A configured part cannot work; the message says which and how to mend it."""


@dataclass(frozen=True, slots=True)
class Services:
    """What requests use, opened once a process."""

    settings: Settings
    entries: Mapping[str, registry.Entry]
    engine: AsyncEngine
    redis: Redis
    authenticator: Authenticator
    model: ChatModel
    threads: ThreadStore
    runs: RunEngine
    limits: Limits
    usage: UsageStore
    audit: AuditTrail
    pseudonyms: Pseudonyms


class State(TypedDict):
    """What the lifespan yields; Starlette puts it into every request's state."""

    services: Services


def services_of(connection: HTTPConnection) -> Services:
    """Return the services of the server that answers this request."""
    return cast("Services", connection.state.services)


@asynccontextmanager
async def open_services(
    settings: Settings, entries: Sequence[registry.Entry], telemetry: Telemetry
) -> AsyncIterator[Services]:
    """Open every part and yield them. Raises CannotStart with the name of the part that can't work."""
    metrics = telemetry.metrics
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(telemetry.tracing.going_on())
        engine = open_engine(settings.database, settings.database_pool)
        stack.push_async_callback(engine.dispose)
        if reason := await why_not_ready(engine):
            raise CannotStart(f"database: {reason}")
        if not settings.development and await above_row_security(engine):
            raise CannotStart(f"database: {NO_ROW_SECURITY}")
        redis = await stack.enter_async_context(open_redis(settings))
        issuer = await stack.enter_async_context(open_issuer(settings))
        authenticator = await open_authenticator(settings, engine, redis, issuer)
        await stack.enter_async_context(authenticator.tended())
        check_lists(settings, entries)
        model = await stack.enter_async_context(open_chat_model(settings.chat_model))
        checkpoints = await stack.enter_async_context(open_checkpoints(settings.database))
        stores = Stores(portfolio=PortfolioStore(engine))
        holds = authenticator.standing.holds
        audit = AuditTrail(engine, metrics.audit_rows_lost.inc)
        await stack.enter_async_context(audit.going_on())
        await stack.enter_async_context(purging(engine, settings.audit_days))
        tools = build_tools(stores, before_acting=BeforeActing(redis, holds, tools_recorded(audit)))
        runnables = registry.build(entries, registry.Parts(model.model, tools, checkpoints))
        threads = ThreadStore(engine)
        history = ThreadHistory(threads, settings.history_tokens)
        pseudonyms = await asyncio.to_thread(Pseudonyms.from_settings, settings)
        observer = RunTelemetry(
            metrics, telemetry.tracing, pseudonyms,
            model=settings.chat_model.name, tools=[tool.name for tool in tools],
            langsmith=settings.langsmith_tracing,
        )  # fmt: skip
        runs = await stack.enter_async_context(
            open_runs(redis, runnables, history, checkpoints, settings.runs, observer)
        )
        await stack.enter_async_context(telemetry.watching(runs))
        usage = UsageStore(engine)
        await stack.enter_async_context(bookkeeping(redis, usage, runs.owner))
        await stack.enter_async_context(credentials_watched(runs, holds))
        limits = limits_of(
            redis, runs.conductor.holds, settings.plans, settings.limits_without_redis,
            settings.signin_failures,
        )  # fmt: skip
        served = {entry.name: entry for entry in entries}
        yield Services(
            settings, served, engine, redis, authenticator, model, threads, runs, limits, usage, audit,
            pseudonyms,
        )  # fmt: skip


def check_lists(settings: Settings, entries: Sequence[registry.Entry]) -> None:
    """Raise CannotStart when the tenants' lists name a runnable that is not served: a typing error."""
    named = {name for names in settings.tenant_runnables.values() for name in names}
    if unknown := sorted(named - {entry.name for entry in entries} - {"*"}):
        raise CannotStart(f"GATEHOUSE_TENANT_RUNNABLES names what is not served: {', '.join(unknown)}")


@asynccontextmanager
async def open_redis(settings: Settings) -> AsyncIterator[Redis]:
    """Yield a client of the configured Redis, or of the in-process store. Raises CannotStart."""
    try:
        redis = redis_of(settings)
    except ValueError as error:
        raise unusable_redis(error) from None
    try:
        await answered(redis)
        yield redis
    finally:
        await redis.aclose()


async def answered(redis: Redis) -> None:
    """Return when Redis has answered. Raises CannotStart."""
    try:
        await redis.ping()
    except (RedisError, OSError) as error:
        raise CannotStart(f"Redis: GATEHOUSE_REDIS_URL cannot be reached ({type(error).__name__})") from error
    except (TypeError, ValueError, OverflowError) as error:  # an option or a port that there is not
        raise unusable_redis(error) from None


def unusable_redis(error: Exception) -> CannotStart:
    """Return what to raise for a URL that is wrong; redis-py's own error may quote it with its password."""
    return CannotStart(
        f"Redis: GATEHOUSE_REDIS_URL cannot be used ({type(error).__name__}): it has the form "
        "redis://user:password@host:6379/0, or rediss:// for TLS, with what is special in the password as %XX"
    )


def redis_of(settings: Settings) -> Redis:
    """Return a client whose callers wait for a free connection: in a burst, redis-py's own pool raises."""
    if settings.redis_url is None:
        return FakeAsyncRedis(
            server=FakeServer(),  # else all applications of a process share one, over their event loops
            connection_pool_class=BlockingConnectionPool,
            max_connections=REDIS_CONNECTIONS,
            timeout=REDIS_WAIT,
        )
    pool = BlockingConnectionPool.from_url(
        settings.redis_url.get_secret_value(),
        max_connections=REDIS_CONNECTIONS,
        timeout=REDIS_WAIT,
        socket_connect_timeout=5,
    )
    return Redis.from_pool(pool)


Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[State]]


def lifespan_for(settings: Settings, entries: Sequence[registry.Entry], telemetry: Telemetry) -> Lifespan:
    """Return the lifespan of an application with these settings and entries."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[State]:
        # else every open stream ends at SIGTERM, without its last events; uvicorn waits for them instead
        AppStatus.disable_automatic_graceful_drain()  # type: ignore[no-untyped-call]
        async with open_services(settings, entries, telemetry) as services:
            tune_garbage_collection()
            yield {"services": services}

    return lifespan


def tune_garbage_collection() -> None:
    """Have the collector leave alone what was made at start, and look at the rest less often.

    At 50 streams it took 35 to 45 % of the CPU; this makes streaming 1.4 times as fast or more, for about
    30 kB a stream (bench/README.md).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
