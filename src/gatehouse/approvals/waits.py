"""Approvals as the run engine uses them: what runs ask is kept here, and they hear what was decided."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

from sqlalchemy import and_, select
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gatehouse.approvals.models import Approval
from gatehouse.approvals.service import Approvals
from gatehouse.approvals.tables import waiting_runs
from gatehouse.identity.principal import Principal
from gatehouse.runs.events import ApprovalAsked, Decided, EffectUnknown, ToolStart
from gatehouse.runs.records import RunRecord, of_kept_fields
from gatehouse.runs.sources.steps import Asked, ToolCalled
from gatehouse.runs.waits import Answers, Opened, ThreadGone, WaitsAway
from gatehouse.storage.tenancy import see_as_operator, tenant_transaction

# Of an approval, what an event tells as it opens; the rest is of its decision, or of who asks
NOT_TOLD = {"status", "owner", "decided_by", "decided_at", "decision", "may_decide", "run_id", "thread_id"}
DID = {
    "approved": "approved", "edited": "changed and approved", "rejected": "rejected",
    "responded": "answered", "happened": "says that it happened:", "run_again": "has called again",
    "given_up": "has given up",
}  # fmt: skip


class ApprovalWaits:
    """The `Waits` of the run engine. `heard` is told of effects that turn out unknown, by their tools."""

    def __init__(self, approvals: Approvals, heard: Callable[[str, Literal["unknown"]], None]) -> None:
        self._approvals = approvals
        self._heard = heard

    async def open(self, run: RunRecord, asked: Sequence[Asked], calls: Sequence[ToolStart]) -> Opened:
        made = [ToolCalled(call.tool, call.call_id, call.input, call.path) for call in calls]
        try:
            async with away():
                opened = await self._approvals.open(run, asked, made)
        except IntegrityError:
            raise ThreadGone from None
        paths = {one.id: one.path for one in asked}
        events = [
            ApprovalAsked(content=what_waits(item), approval=told(item), path=paths[interrupt_id])
            for interrupt_id, item in opened
        ]
        return Opened(events, self._approvals.lifetime.total_seconds())

    async def answers(self, run: RunRecord) -> Answers:
        async with away():
            answers, told_of = await self._approvals.decided(run.principal.tenant_id, run.id)
        since = max((item.created_at for item in told_of), default=None)  # of what was asked last
        events = [decided(item) for item in told_of if item.created_at == since]
        return Answers(answers, events, edits_in(told_of))

    async def cancel(self, run: RunRecord) -> bool:
        async with away():
            return await self._approvals.end(run.principal.tenant_id, run.id, "cancelled")

    async def ask_what_is_left(self, tenant_id: str, run_id: str) -> Sequence[EffectUnknown]:
        async with away():
            asked = await self._approvals.ask_what_is_left(tenant_id, run_id)
        for left, _ in asked:
            if left.found:
                self._heard(left.effect.tool, "unknown")
        return [
            EffectUnknown(content=what_waits(approval), tool=left.effect.tool, call_id=left.effect.call_id)
            for left, approval in asked
        ]

    async def forget(self, run: RunRecord) -> None:
        async with away():
            await self._approvals.forget(run.principal.tenant_id, run.id)

    async def paused(self, run: RunRecord) -> None:
        async with away():
            if await self._approvals.is_due(run.principal.tenant_id, run.id):
                await self._approvals.kick(run.principal.tenant_id, run.id)

    async def kept(self, tenant_id: str, run_id: str) -> RunRecord | None:
        this = and_(waiting_runs.c.run_id == run_id)
        if tenant_id:
            this = and_(this, waiting_runs.c.tenant_id == tenant_id)
        async with away(), tenant_transaction(self._approvals.engine, tenant_id) as connection:
            if not tenant_id:
                await see_as_operator(connection)
            row = (await connection.execute(select(waiting_runs.c.record).where(this))).one_or_none()
        return None if row is None else of_kept_fields(row.record)

    async def waiting_in(self, principal: Principal, thread_id: str) -> Sequence[str]:
        whose = and_(
            waiting_runs.c.tenant_id == principal.tenant_id,
            waiting_runs.c.user_id == principal.user_id,
            waiting_runs.c.thread_id == thread_id,
        )
        tenant = tenant_transaction(self._approvals.engine, principal.tenant_id)
        async with away(), tenant as connection:
            return list(await connection.scalars(select(waiting_runs.c.run_id).where(whose)))


@asynccontextmanager
async def away() -> AsyncIterator[None]:
    """Raise WaitsAway in place of what a database raises that does not answer."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout, OSError) as error:
        raise WaitsAway(type(error).__name__) from error


def edits_in(approvals: Sequence[Approval]) -> dict[str, dict[str, Any]]:
    """Return the arguments that people gave in place of a model's, by the ids of the calls."""
    return {
        item.tool_call_id: item.decision["args"]
        for item in approvals
        if item.status == "edited" and item.tool_call_id and item.decision
    }


def what_waits(approval: Approval) -> str:
    """Return in a sentence what waits."""
    if approval.kind == "effect":
        return f"Nobody knows whether {approval.tool} has happened. Somebody has to say."
    if approval.kind == "tool":
        return f"{approval.tool} waits for approval."
    return approval.description or "The run waits for an answer."


def told(approval: Approval) -> dict[str, Any]:
    """Return what the event of an approval tells of it."""
    return approval.model_dump(mode="json", by_alias=True, exclude=NOT_TOLD)


def decided(approval: Approval) -> Decided:
    """Return the event of a decision."""
    who = approval.decided_by.name if approval.decided_by else ""
    choice = (approval.decision or {}).get("decision", "")
    what = approval.tool or "the question"
    content = f"{who} {DID.get(approval.status, approval.status)} {what}."
    return Decided(content=content, approval_id=approval.id, decision=choice, decided_by=who)
