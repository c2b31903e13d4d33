"""Opens what the server needs, in order, and closes it in reverse."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

import structlog
from fastapi import FastAPI
from langgraph.checkpoint.base import BaseCheckpointSaver
from psycopg.errors import DuplicatePreparedStatement, InvalidSqlStatementName
from psycopg_pool import PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine
from sse_starlette.sse import AppStatus

from gatehouse.approvals.service import Approvals, Recorded
from gatehouse.approvals.sweeping import continuing
from gatehouse.approvals.upkeep import tending_approvals
from gatehouse.approvals.waits import ApprovalWaits
from gatehouse.attachments.purge import purging_attachments
from gatehouse.attachments.store import AttachmentStore, Bounds
from gatehouse.audit.approvals import audit_approvals
from gatehouse.audit.purge import purging
from gatehouse.audit.tool_calls import audit_tool_calls
from gatehouse.audit.trail import AuditTrail
from gatehouse.auth.authenticator import open_authenticator
from gatehouse.auth.tokens.issuer_keys import open_issuer
from gatehouse.ledger.ledger import Ledger
from gatehouse.ledger.purge import purging_effects
from gatehouse.ledger.store import EffectStore
from gatehouse.limits.limits import limits_of
from gatehouse.models.opening import open_chat_model
from gatehouse.registry.checked import Built, Registry, build, serving
from gatehouse.registry.model_entry import model_entry
from gatehouse.runs.acting import ActingOnce, BeforeActing
from gatehouse.runs.checkpoints.opening import CheckpointsBehind, open_checkpoints, set_up_checkpoints
from gatehouse.runs.credentials import credentials_watched
from gatehouse.runs.sources.tools_within import tools_within
from gatehouse.runs.tending import open_runs
from gatehouse.services import Services, State
from gatehouse.settings import Settings
from gatehouse.settings.mcp import McpServer
from gatehouse.storage.opening import CannotStart, Unreachable, open_database, open_redis, waited_for
from gatehouse.telemetry.calls import Tools
from gatehouse.telemetry.logs import configure_logging
from gatehouse.telemetry.metrics import Metrics
from gatehouse.telemetry.model_watch import ModelMetrics
from gatehouse.telemetry.pseudonyms import Pseudonyms
from gatehouse.telemetry.runs import RunTelemetry
from gatehouse.telemetry.telemetry import Telemetry
from gatehouse.threads.history import ThreadHistory
from gatehouse.threads.retention import Forget, purging_threads
from gatehouse.threads.store import ThreadStore
from gatehouse.tools.building import Resources
from gatehouse.tools.remote.tools import remote_tools
from gatehouse.usage.bookkeeping import bookkeeping
from gatehouse.usage.langsmith import open_langsmith
from gatehouse.usage.prices import BadPrices, Prices
from gatehouse.usage.purge import purging_usage
from gatehouse.usage.store import UsageStore, nothing_more
from gatehouse.webhooks.outbox import Outbox
from gatehouse.webhooks.receiver import receiver_of
from gatehouse.webhooks.sending import sending_webhooks
from gatehouse.webhooks.telling import telling_approvals, telling_ends

NOT_PREPARED = (
    "it answers, and no connection for an agent's checkpoints can be made. Behind PgBouncer before 1.21 that "
    "pools by transaction, add ?prepare_threshold=none to GATEHOUSE_DATABASE_URL (docs/operations.md)"
)


@asynccontextmanager
async def open_services(
    settings: Settings, registry: Registry, telemetry: Telemetry
) -> AsyncIterator[Services]:
    """Open every part and yield them. Raises CannotStart with the name of the part that can't work."""
    metrics = telemetry.metrics
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        await enter(telemetry.tracing.going_on())
        engine = await enter(open_database(settings))
        redis = await enter(open_redis(settings))
        issuer = await enter(open_issuer(settings))
        authenticator = await open_authenticator(settings, engine, redis, issuer)
        await enter(authenticator.tended())
        check_lists(settings, registry)
        watch = ModelMetrics(metrics, settings.chat_model.name)
        model = await enter(open_chat_model(settings.chat_model, watch))
        checkpoints = await enter(checkpoints_of(settings, registry))
        credential_valid = authenticator.standing.credential_valid
        audit = AuditTrail(engine, metrics.audit_rows_lost.inc)
        await enter(audit.going_on())
        before_acting = BeforeActing(redis, credential_valid, audit_tool_calls(audit))
        ledger = Ledger(EffectStore(engine), checkpoints.serde, metrics.effect)
        acting = ActingOnce(before_acting, ledger)
        remote = await remote_tools(used_servers(settings, registry), settings.public_url or "gatehouse")
        built = build(registry, model.model, Resources(engine), checkpoints, acting, remote)
        alone = model_entry()
        runnables = {**built.runnables, alone.path: serving(alone, model.model)}
        threads = ThreadStore(engine)
        attachments = AttachmentStore(engine, attachment_bounds(settings))
        history = ThreadHistory(threads, settings.history_tokens, attachments)
        pseudonyms = await asyncio.to_thread(Pseudonyms.from_settings, settings)
        observer = RunTelemetry(
            metrics, telemetry.tracing, pseudonyms,
            model=settings.chat_model.name, tools=Tools(built.tools, built.acting),
            langsmith=settings.langsmith_tracing,
        )  # fmt: skip
        receiver = receiver_of(settings)
        outbox = Outbox(engine) if receiver else None
        recorded = audit_approvals(audit)
        if outbox:
            recorded = telling_approvals(outbox, recorded)
        approvals = approvals_of(settings, engine, registry, built, recorded, metrics)
        runs = await enter(
            open_runs(
                redis, runnables, history, checkpoints, settings.runs, observer,
                ApprovalWaits(approvals, metrics.effect),
            )
        )  # fmt: skip
        await enter(continuing(approvals, runs, authenticator.standing.is_not_revoked))
        await enter(tending_approvals(engine, settings.audit_days, metrics.open_approvals))
        await enter(telemetry.watching(runs))
        await enter(old_rows_erased(engine, settings, runs.forget_states))
        usage = UsageStore(engine, prices_of(settings), telling_ends(outbox) if outbox else nothing_more)
        await enter(sending_webhooks(engine, receiver))
        await enter(bookkeeping(redis, usage, runs.owner))
        await enter(credentials_watched(runs, credential_valid))
        limits = limits_of(
            redis, runs.conductor.reservations, settings.plans, settings.limits_without_redis,
            settings.signin_failures,
        )  # fmt: skip
        langsmith = await enter(open_langsmith(settings))
        yield Services(
            settings, registry.by_name, engine, redis, authenticator, model, threads, runs, limits, usage,
            audit, pseudonyms, attachments, approvals, langsmith,
        )  # fmt: skip


@asynccontextmanager
async def old_rows_erased(engine: AsyncEngine, settings: Settings, forget: Forget) -> AsyncIterator[None]:
    """Erase what need not be kept any longer, in the background while the context is open."""
    async with (
        purging(engine, settings.audit_days),
        purging_effects(engine, settings.audit_days),
        purging_attachments(engine),
        purging_usage(engine, settings.usage_days),
        purging_threads(engine, settings.thread_days, forget),
    ):
        yield


@asynccontextmanager
async def checkpoints_of(settings: Settings, registry: Registry) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    """Yield the checkpointer. In production its tables are `gatehouse db upgrade`'s to make.

    It reads objects of the types that an entry names, in `checkpoint_types`.

    Raises CannotStart.
    """
    if settings.development:
        await set_up_checkpoints(settings.database)
    allowed = {kind for entry in registry.entries for kind in entry.checkpoint_types}
    async with AsyncExitStack() as stack:

        async def opened() -> BaseCheckpointSaver[Any]:
            try:
                return await stack.enter_async_context(open_checkpoints(settings.database, allowed))
            except CheckpointsBehind as error:
                raise Unreachable(f"database: {error}") from None
            except (PoolTimeout, DuplicatePreparedStatement, InvalidSqlStatementName):
                raise CannotStart(f"database: {NOT_PREPARED}") from None

        yield await waited_for(opened, settings.start_patience)


def prices_of(settings: Settings) -> Prices:
    """Return the operator's prices. Raises CannotStart."""
    try:
        return Prices.read(settings.model_prices)
    except BadPrices as error:
        raise CannotStart(f"GATEHOUSE_MODEL_PRICES: {error}") from None


def approvals_of(
    settings: Settings,
    engine: AsyncEngine,
    registry: Registry,
    built: Built,
    recorded: Recorded,
    metrics: Metrics,
) -> Approvals:
    """Return what runs ask people, which knows the tools of each runnable."""

    def counted(runnable: str, outcome: str) -> None:
        metrics.approvals.labels(f"/{runnable}", outcome).inc()

    return Approvals(
        engine,
        timedelta(hours=settings.approval_hours),
        deciders={entry.path: entry.deciders for entry in registry.entries},
        tools={path: tools_within(serving.runnable) for path, serving in built.runnables.items()},
        recorded=recorded,
        counted=counted,
        kept=timedelta(days=settings.audit_days),
    )


def attachment_bounds(settings: Settings) -> Bounds:
    """Return how many attachments are kept, and for how long."""
    lifetime = timedelta(hours=settings.attachment_hours)
    return Bounds(settings.attachment_files, settings.attachment_bytes_a_user, lifetime)


def check_lists(settings: Settings, registry: Registry) -> None:
    """Raise CannotStart when the tenants' lists name a runnable that is not served: a typing error."""
    named = {name for names in (settings.tenant_runnables or {}).values() for name in names}
    if unknown := sorted(named - registry.by_name.keys() - {"*"}):
        raise CannotStart(f"GATEHOUSE_TENANT_RUNNABLES names what is not served: {', '.join(unknown)}")


def used_servers(settings: Settings, registry: Registry) -> dict[str, McpServer]:
    """Return the MCP servers that entries name. Raises CannotStart for one that is not set."""
    named = {name for entry in registry.entries for name in entry.mcp_servers}
    if unknown := sorted(named - settings.mcp_servers.keys()):
        raise CannotStart(f"GATEHOUSE_MCP_SERVERS lacks {', '.join(unknown)}, whose tools entries want")
    return {name: settings.mcp_servers[name] for name in sorted(named)}


Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[State]]


def lifespan_for(settings: Settings, registry: Registry, telemetry: Telemetry) -> Lifespan:
    """Return the lifespan of an application with these settings and entries."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[State]:
        if not structlog.is_configured():  # under a plain uvicorn: its own way would print local variables
            configure_logging(settings.log_level, pretty=False)
        # else every open stream ends at SIGTERM, without its last events; uvicorn waits for them instead
        AppStatus.disable_automatic_graceful_drain()  # type: ignore[no-untyped-call]
        async with open_services(settings, registry, telemetry) as services:
            tune_garbage_collection()
            yield {"services": services}

    return lifespan


def tune_garbage_collection() -> None:
    """Have the collector leave alone what was made at start, and look at the rest in small pieces.

    At 50 streams it took 35 to 45 % of the CPU. A pause is as long as there are objects to look at: 2,000
    for the young ones, which are a millisecond, and 12,000 for those that were young a while ago. Looking at
    all of them would hold a process with 1,000 open streams for a third of a second, so that is rare.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(2_000, 5, 5_000)
