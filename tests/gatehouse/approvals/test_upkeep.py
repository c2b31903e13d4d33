"""Approvals of all tenants: how many are open, and which are erased."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from approval_runs import ALICE, ELSEWHERE, ApprovalsOf, decision, run_of, transfer
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.approvals.service import Approvals
from gatehouse.approvals.tables import approvals as table
from gatehouse.approvals.upkeep import open_by_kind, purge
from gatehouse.storage.tenancy import tenant_transaction
from gatehouse.threads.store import ThreadStore


async def aged(engine: AsyncEngine, **more: Any) -> None:
    """Have acme's approvals be a hundred days old."""
    old = {"created_at": datetime.now(UTC) - timedelta(days=100)}
    async with tenant_transaction(engine, "acme") as connection:
        await connection.execute(update(table).where(table.c.tenant_id == "acme").values(old | more))


async def test_open_ones_are_counted_over_all_tenants(
    of_run: ApprovalsOf, approvals: Approvals, engine: AsyncEngine
) -> None:
    first, _ = await of_run.ask(transfer("i1"), transfer("i2", 5))
    await ApprovalsOf(approvals, run_of(ELSEWHERE)).ask()
    await approvals.decide(ALICE, first.id, decision(first))
    assert await open_by_kind(engine) == {"tool": 2, "input": 0, "effect": 0}


async def test_old_ones_without_a_thread_are_erased_when_they_are_over(
    of_run: ApprovalsOf, approvals: Approvals, engine: AsyncEngine
) -> None:
    decided, waits = await of_run.ask(transfer("i1"), transfer("i2", 5))
    await approvals.decide(ALICE, decided.id, decision(decided))
    assert await purge(engine, 30) == 0
    await aged(engine)
    assert await purge(engine, 30) == 1
    assert [item.id for item in await approvals.asked_by("acme", of_run.run.id)] == [waits.id]
    await aged(engine, expires_at=datetime.now(UTC) - timedelta(days=1))
    assert await purge(engine, 30) == 1


async def test_those_of_a_thread_stay_with_it(approvals: Approvals, engine: AsyncEngine) -> None:
    thread = await ThreadStore(engine).create(ALICE, "agent", "Money")
    of_run = ApprovalsOf(approvals, replace(run_of(), thread_id=thread.id))
    [asked] = await of_run.ask()
    await approvals.decide(ALICE, asked.id, decision(asked))
    await aged(engine)
    assert await purge(engine, 30) == 0
