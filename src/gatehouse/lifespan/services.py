"""Every part of the server, in the order in which they are opened."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from gatehouse.approvals.abandoned import asking_about_abandoned
from gatehouse.approvals.sweeping import continuing
from gatehouse.approvals.waits import ApprovalWaits
from gatehouse.attachments.store import AttachmentStore
from gatehouse.audit.tool_calls import audit_tool_calls
from gatehouse.ledger.ledger import Ledger
from gatehouse.ledger.store import EffectStore
from gatehouse.lifespan.parts import (
    approvals_of,
    attachment_bounds,
    books_of,
    check_lists,
    checkpoints_of,
    late_tools_awaited,
    limits_within,
    open_audit,
    open_identity,
    open_model,
    open_outbox,
    open_remote_tools,
    rows_tended,
    run_telemetry,
    with_the_model,
)
from gatehouse.registry.building import Builder
from gatehouse.registry.checked import Registry
from gatehouse.registry.entry import Parts
from gatehouse.runs.acting import ActingOnce, BeforeActing
from gatehouse.runs.credentials import credentials_watched
from gatehouse.runs.tending import open_runs
from gatehouse.services import Services
from gatehouse.settings import Settings
from gatehouse.storage.opening import open_database, open_redis
from gatehouse.store.items import CallersStore
from gatehouse.telemetry.pseudonyms import Pseudonyms
from gatehouse.telemetry.telemetry import Telemetry
from gatehouse.threads.history import ThreadHistory
from gatehouse.threads.store import ThreadStore
from gatehouse.tools.building import Resources
from gatehouse.usage.bookkeeping import bookkeeping
from gatehouse.usage.langsmith import open_langsmith
from gatehouse.wires.mcp.late import imported_soon


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
        authenticator = await enter(open_identity(settings, engine, redis))
        check_lists(settings, registry)
        audit = await enter(open_audit(engine, metrics))
        model = await enter(open_model(settings, metrics))
        checkpoints = await enter(checkpoints_of(settings, registry))
        credential_valid = authenticator.standing.credential_valid
        before_acting = BeforeActing(redis, credential_valid, audit_tool_calls(audit))
        ledger = Ledger(EffectStore(engine), checkpoints.serde, metrics.effect)
        remote = await open_remote_tools(settings, registry)
        acting = ActingOnce(before_acting, ledger)
        parts = Parts(model.model, checkpointer=checkpoints, store=CallersStore(engine))
        builder = Builder(registry, parts, Resources(engine), acting, remote.tools)
        built = builder.build()
        threads = ThreadStore(engine)
        attachments = AttachmentStore(engine, attachment_bounds(settings))
        pseudonyms = await asyncio.to_thread(Pseudonyms.from_settings, settings)
        outbox = await enter(open_outbox(settings, engine))
        approvals = approvals_of(settings, engine, registry, built, audit, outbox, metrics)
        runs = await enter(
            open_runs(
                redis, with_the_model(built, model.model),
                ThreadHistory(threads, settings.history_tokens, attachments), checkpoints, settings.runs,
                run_telemetry(settings, telemetry, pseudonyms, built),
                ApprovalWaits(approvals, metrics.effect),
            )
        )  # fmt: skip
        await enter(late_tools_awaited(remote, builder))
        await enter(imported_soon(registry.by_name.values()))
        await enter(continuing(approvals, runs, authenticator.standing.is_not_revoked))
        await enter(asking_about_abandoned(approvals, runs.conductor.waits, runs.attempts))
        await enter(telemetry.watching(runs))
        await enter(rows_tended(engine, settings, metrics, runs.forget_states))
        usage = books_of(settings, engine, outbox)
        await enter(bookkeeping(redis, usage, runs.owner))
        await enter(credentials_watched(runs, credential_valid))
        limits = limits_within(settings, redis, runs)
        yield Services(
            settings, registry.by_name, engine, redis, authenticator, model, threads, runs, limits, usage,
            audit, pseudonyms, attachments, approvals, await enter(open_langsmith(settings)),
        )  # fmt: skip
