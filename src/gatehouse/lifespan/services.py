"""Every part of the server, in the order in which they are opened."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from gatehouse.approvals.sweeping import continuing
from gatehouse.approvals.upkeep import tending_approvals
from gatehouse.approvals.waits import ApprovalWaits
from gatehouse.attachments.store import AttachmentStore
from gatehouse.audit.approvals import audit_approvals
from gatehouse.audit.tool_calls import audit_tool_calls
from gatehouse.audit.trail import AuditTrail
from gatehouse.auth.authenticator import open_authenticator
from gatehouse.auth.tokens.issuer_keys import open_issuer
from gatehouse.ledger.ledger import Ledger
from gatehouse.ledger.store import EffectStore
from gatehouse.lifespan.parts import (
    approvals_of,
    attachment_bounds,
    check_lists,
    checkpoints_of,
    old_rows_erased,
    prices_of,
    used_servers,
)
from gatehouse.limits.limits import limits_of
from gatehouse.models.opening import open_chat_model
from gatehouse.registry.checked import Registry, build, serving
from gatehouse.registry.model_entry import model_entry
from gatehouse.runs.acting import ActingOnce, BeforeActing
from gatehouse.runs.credentials import credentials_watched
from gatehouse.runs.tending import open_runs
from gatehouse.services import Services
from gatehouse.settings import Settings
from gatehouse.storage.opening import open_database, open_redis
from gatehouse.telemetry.calls import Tools
from gatehouse.telemetry.model_watch import ModelMetrics
from gatehouse.telemetry.pseudonyms import Pseudonyms
from gatehouse.telemetry.runs import RunTelemetry
from gatehouse.telemetry.telemetry import Telemetry
from gatehouse.threads.history import ThreadHistory
from gatehouse.threads.store import ThreadStore
from gatehouse.tools.building import Resources
from gatehouse.tools.remote.tools import remote_tools
from gatehouse.usage.bookkeeping import bookkeeping
from gatehouse.usage.langsmith import open_langsmith
from gatehouse.usage.store import UsageStore, nothing_more
from gatehouse.webhooks.outbox import Outbox
from gatehouse.webhooks.receiver import receiver_of
from gatehouse.webhooks.sending import sending_webhooks
from gatehouse.webhooks.telling import telling_approvals, telling_ends


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
