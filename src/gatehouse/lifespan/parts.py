"""The parts of the server as the settings and the registry have them."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

from langchain_core.language_models import BaseChatModel
from langgraph.checkpoint.base import BaseCheckpointSaver
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.approvals.service import Approvals
from gatehouse.approvals.upkeep import tending_approvals
from gatehouse.attachments.purge import purging_attachments
from gatehouse.attachments.store import Bounds
from gatehouse.audit.approvals import audit_approvals
from gatehouse.audit.purge import purging
from gatehouse.audit.trail import AuditTrail
from gatehouse.auth.authenticator import Authenticator, open_authenticator
from gatehouse.auth.tokens.issuer_keys import open_issuer
from gatehouse.background import about, again_and_again, in_background
from gatehouse.ledger.purge import purging_effects
from gatehouse.limits.limits import Limits, limits_of
from gatehouse.models.opening import ChatModel, open_chat_model
from gatehouse.registry.building import Builder, Built, serving
from gatehouse.registry.checked import Registry
from gatehouse.registry.model_entry import model_entry
from gatehouse.runs.checkpoints.opening import open_checkpoints, set_up_checkpoints
from gatehouse.runs.checkpoints.problems import CheckpointsBehind, NotPrepared
from gatehouse.runs.engine import RunEngine
from gatehouse.runs.sources.serving import Serving
from gatehouse.settings import Settings
from gatehouse.settings.mcp import McpServer
from gatehouse.storage.opening import CannotStart, Unreachable, waited_for
from gatehouse.telemetry.calls import Tools
from gatehouse.telemetry.metrics import Metrics
from gatehouse.telemetry.model_watch import ModelMetrics
from gatehouse.telemetry.pseudonyms import Pseudonyms
from gatehouse.telemetry.runs import RunTelemetry
from gatehouse.telemetry.telemetry import Telemetry
from gatehouse.threads.retention import Forget, purging_threads
from gatehouse.tools.remote.tools import RemoteTools
from gatehouse.usage.prices import BadPrices, Prices
from gatehouse.usage.purge import purging_usage
from gatehouse.usage.store import UsageStore, nothing_more
from gatehouse.webhooks.outbox import Outbox
from gatehouse.webhooks.receiver import receiver_of
from gatehouse.webhooks.sending import sending_webhooks
from gatehouse.webhooks.telling import telling_approvals, telling_ends

LATE_SECONDS = 30.0  # between two looks for an MCP server that was away
NOT_PREPARED = (
    "it answers, and no connection for an agent's checkpoints can be made. Behind PgBouncer before 1.21 that "
    "pools by transaction, add ?prepare_threshold=none to GATEHOUSE_DATABASE_URL (docs/operations.md)"
)


@asynccontextmanager
async def open_identity(
    settings: Settings, engine: AsyncEngine, redis: Redis
) -> AsyncIterator[Authenticator]:
    """Yield what decides who calls, whose keys, lists and sessions are looked after meanwhile."""
    async with open_issuer(settings) as issuer:
        authenticator = await open_authenticator(settings, engine, redis, issuer)
        async with authenticator.tended():
            yield authenticator


@asynccontextmanager
async def open_audit(engine: AsyncEngine, metrics: Metrics) -> AsyncIterator[AuditTrail]:
    """Yield the audit log, which is written in the background meanwhile."""
    audit = AuditTrail(engine, metrics.audit_rows_lost.inc)
    async with audit.going_on():
        yield audit


def open_model(settings: Settings, metrics: Metrics) -> AbstractAsyncContextManager[ChatModel]:
    """Yield the chat model of the settings, whose calls and failures are counted."""
    return open_chat_model(settings.chat_model, ModelMetrics(metrics, settings.chat_model.name))


@asynccontextmanager
async def open_outbox(settings: Settings, engine: AsyncEngine) -> AsyncIterator[Outbox | None]:
    """Yield where webhooks wait, which are sent meanwhile; None where there is nobody to send them to."""
    receiver = receiver_of(settings)
    async with sending_webhooks(engine, receiver):
        yield Outbox(engine) if receiver else None


def run_telemetry(
    settings: Settings, telemetry: Telemetry, pseudonyms: Pseudonyms, built: Built
) -> RunTelemetry:
    """Return what metrics and traces learn of runs."""
    return RunTelemetry(
        telemetry.metrics, telemetry.tracing, pseudonyms,
        model=settings.chat_model.name, tools=Tools(built.tools, built.acting),
        langsmith=settings.langsmith_tracing,
    )  # fmt: skip


def with_the_model(built: Built, model: BaseChatModel) -> dict[str, Serving]:
    """Return what is run, by its path: what the registry has, and the chat model alone."""
    alone = model_entry()
    built.runnables[alone.path] = serving(alone, model)
    return built.runnables


@asynccontextmanager
async def rows_tended(
    engine: AsyncEngine, settings: Settings, metrics: Metrics, forget: Forget
) -> AsyncIterator[None]:
    """Count what is open and erase what need not be kept, in the background while the context is open."""
    async with (
        tending_approvals(engine, settings.audit_days, metrics.open_approvals),
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
    allowed = {kind for entry in registry.served for kind in entry.checkpoint_types}
    async with AsyncExitStack() as stack:

        async def opened() -> BaseCheckpointSaver[Any]:
            try:
                return await stack.enter_async_context(open_checkpoints(settings.database, allowed))
            except CheckpointsBehind as error:
                raise Unreachable(f"database: {error}") from None
            except NotPrepared:
                raise CannotStart(f"database: {NOT_PREPARED}") from None

        yield await waited_for(opened, settings.start_patience)


def limits_within(settings: Settings, redis: Redis, runs: RunEngine) -> Limits:
    """Return the limits of callers, which also hold for the runs that this process takes over."""
    return limits_of(
        redis, runs.conductor.reservations, settings.plans, settings.limits_without_redis,
        settings.signin_failures,
    )  # fmt: skip


def books_of(settings: Settings, engine: AsyncEngine, outbox: Outbox | None) -> UsageStore:
    """Return the books of usage, which tell webhooks of ended runs. Raises CannotStart."""
    return UsageStore(engine, prices_of(settings), telling_ends(outbox) if outbox else nothing_more)


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
    audit: AuditTrail,
    outbox: Outbox | None,
    metrics: Metrics,
) -> Approvals:
    """Return what runs ask people: it knows each runnable's tools, and tells the audit log and webhooks."""
    recorded = audit_approvals(audit)
    if outbox:
        recorded = telling_approvals(outbox, recorded)

    def counted(runnable: str, outcome: str) -> None:
        metrics.approvals.labels(f"/{runnable}", outcome).inc()

    return Approvals(
        engine,
        timedelta(hours=settings.approval_hours),
        deciders={entry.path: entry.deciders for entry in registry.served},
        tools=built.within,
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
    """Return the MCP servers of entries, those that they name and their own.

    Raises CannotStart for a name that is not set, or that two different ones have.
    """
    named = {name for entry in registry.entries for name in set(entry.mcp_servers) - entry.own_servers.keys()}
    if unknown := sorted(named - settings.mcp_servers.keys()):
        raise CannotStart(f"GATEHOUSE_MCP_SERVERS lacks {', '.join(unknown)}, whose tools entries want")
    used = {name: settings.mcp_servers[name] for name in sorted(named)}
    for entry in registry.entries:
        for name, server in entry.own_servers.items():
            if used.setdefault(name, server) != server:
                raise CannotStart(f"{entry.path}: another MCP server than its own is called {name} too")
    return used


async def open_remote_tools(settings: Settings, registry: Registry) -> RemoteTools:
    """Return the tools of other MCP servers, of those that are there. Raises CannotStart."""
    remote = RemoteTools(used_servers(settings, registry), settings.public_url or "gatehouse")
    await remote.look()
    return remote


@asynccontextmanager
async def late_tools_awaited(remote: RemoteTools, builder: Builder) -> AsyncIterator[None]:
    """Give agents the tools of servers that were away when this one started, once they are there."""

    async def look() -> None:
        if came := await remote.look():
            builder.build_again(came)

    if not remote.missing:
        yield
        return
    fault = "MCP servers cannot be looked for"
    async with in_background(late_tools=again_and_again(look, about(LATE_SECONDS), fault, ())):
        yield
