"""The parts of the server as the settings and the registry have them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from psycopg.errors import DuplicatePreparedStatement, InvalidSqlStatementName
from psycopg_pool import PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.approvals.service import Approvals, Recorded
from gatehouse.attachments.purge import purging_attachments
from gatehouse.attachments.store import Bounds
from gatehouse.audit.purge import purging
from gatehouse.ledger.purge import purging_effects
from gatehouse.registry.checked import Built, Registry
from gatehouse.runs.checkpoints.opening import CheckpointsBehind, open_checkpoints, set_up_checkpoints
from gatehouse.runs.sources.tools_within import tools_within
from gatehouse.settings import Settings
from gatehouse.settings.mcp import McpServer
from gatehouse.storage.opening import CannotStart, Unreachable, waited_for
from gatehouse.telemetry.metrics import Metrics
from gatehouse.threads.retention import Forget, purging_threads
from gatehouse.usage.prices import BadPrices, Prices
from gatehouse.usage.purge import purging_usage

NOT_PREPARED = (
    "it answers, and no connection for an agent's checkpoints can be made. Behind PgBouncer before 1.21 that "
    "pools by transaction, add ?prepare_threshold=none to GATEHOUSE_DATABASE_URL (docs/operations.md)"
)


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
