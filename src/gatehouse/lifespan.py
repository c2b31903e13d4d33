"""Opens what the server needs, in order, and closes it in reverse."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypedDict, cast

from fastapi import FastAPI
from langgraph.checkpoint.base import BaseCheckpointSaver
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine
from sse_starlette.sse import AppStatus
from starlette.requests import HTTPConnection

from app.auth.authenticator import Authenticator, open_authenticator
from app.auth.token_keys import open_issuer
from app.limits.limits import Limits, limits_of
from app.runs.acting import BeforeActing
from app.runs.checkpoints import CheckpointsBehind, open_checkpoints, set_up_checkpoints
from app.runs.credentials import credentials_watched
from app.runs.engine import RunEngine
from app.runs.tending import open_runs
from app.settings import Settings
from app.stores import CannotStart, open_database, open_redis
from app.telemetry.model_watch import ModelWatch
from app.telemetry.pseudonyms import Pseudonyms
from app.telemetry.runs import RunTelemetry
from app.telemetry.telemetry import Telemetry
from app.threads.history import ThreadHistory
from app.threads.store import ThreadStore
from app.usage.acts_on_record import tools_recorded
from app.usage.audit import AuditTrail
from app.usage.audit_purge import purging
from app.usage.bookkeeping import bookkeeping
from app.usage.langsmith import LangSmith, open_langsmith
from app.usage.store import UsageStore
from chains import registry
from chains.models import ChatModel, open_chat_model
from tools.portfolio.store import PortfolioStore
from tools.registry import Stores, build_tools


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
    langsmith: LangSmith | None = None


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
        engine = await stack.enter_async_context(open_database(settings))
        redis = await stack.enter_async_context(open_redis(settings))
        issuer = await stack.enter_async_context(open_issuer(settings))
        authenticator = await open_authenticator(settings, engine, redis, issuer)
        await stack.enter_async_context(authenticator.tended())
        check_lists(settings, entries)
        watch = ModelWatch(metrics, settings.chat_model.name)
        model = await stack.enter_async_context(open_chat_model(settings.chat_model, watch))
        checkpoints = await stack.enter_async_context(checkpoints_of(settings))
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
        langsmith = await stack.enter_async_context(open_langsmith(settings))
        yield Services(
            settings, served, engine, redis, authenticator, model, threads, runs, limits, usage, audit,
            pseudonyms, langsmith,
        )  # fmt: skip


@asynccontextmanager
async def checkpoints_of(settings: Settings) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    """Yield the checkpointer. In production its tables are `gatehouse db upgrade`'s to make.

    Raises CannotStart.
    """
    try:
        if settings.development:
            await set_up_checkpoints(settings.database)
        async with open_checkpoints(settings.database) as checkpoints:
            yield checkpoints
    except CheckpointsBehind as error:
        raise CannotStart(f"database: {error}") from None


def check_lists(settings: Settings, entries: Sequence[registry.Entry]) -> None:
    """Raise CannotStart when the tenants' lists name a runnable that is not served: a typing error."""
    named = {name for names in settings.tenant_runnables.values() for name in names}
    if unknown := sorted(named - {entry.name for entry in entries} - {"*"}):
        raise CannotStart(f"GATEHOUSE_TENANT_RUNNABLES names what is not served: {', '.join(unknown)}")


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
    30 kB a stream. Higher thresholds save 1 or 2 % more of a core, and each pause is as long as they are
    high: with 1,000 open streams under 10 ms for the young objects, 50 ms for ten times as many.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 10, 1_000)
