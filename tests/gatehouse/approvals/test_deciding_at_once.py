"""Whatever several people and the clock do at once, to two processes' connections: each approval has one end."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from approval_runs import ALICE, CAROL, ApprovalsOf, decision, run_of, transfer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.approvals.deciding import decide
from gatehouse.approvals.models import STATUS_AFTER, Approval, Decision
from gatehouse.approvals.rows import lock
from gatehouse.approvals.service import Approvals
from gatehouse.erasure import erase_all_rows
from gatehouse.problems.approvals import ApprovalDecided, ApprovalExpired
from gatehouse.storage.database import open_engine
from gatehouse.storage.tenancy import tenant_transaction
from gatehouse.threads.store import ThreadStore

Act = tuple[str, int, str]  # who, on which approval, what; or the end of the run

PEOPLE = {"alice": ALICE, "carol": CAROL}
DECISIONS = st.tuples(
    st.sampled_from(sorted(PEOPLE)), st.integers(0, 2), st.sampled_from(["approve", "reject", "respond"])
)
ENDS = st.tuples(st.just("end"), st.just(0), st.sampled_from(["cancelled", "expired"]))


async def outcome(approvals: Approvals, asked: list[Approval], act: Act) -> Any:
    """Do what an act says, and return what came of it."""
    who, which, what = act
    if who == "end":
        return await approvals.end("acme", asked[0].run_id, what)
    approval = asked[which % len(asked)]
    said = {"message": "no"} if what == "respond" else {}
    wanted = Decision(decision=what, digest=approval.digest, **said)
    try:
        return await approvals.decide(PEOPLE[who], approval.id, wanted)
    except (ApprovalDecided, ApprovalExpired) as refusal:
        return refusal


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(count=st.integers(1, 3), acts=st.lists(st.one_of(DECISIONS, ENDS), min_size=2, max_size=8))
def test_every_approval_has_one_end_and_the_run_goes_on_once(
    database_url: str, count: int, acts: list[Act]
) -> None:
    asyncio.run(all_at_once(database_url, count, acts))


async def all_at_once(database_url: str, count: int, acts: list[Act]) -> None:
    engines = [open_engine(database_url) for _ in range(2)]
    replicas = [Approvals(engine, timedelta(hours=1)) for engine in engines]
    kicked: list[str] = []

    async def kick(_tenant_id: str, run_id: str) -> None:
        kicked.append(run_id)

    of_run = ApprovalsOf(replicas[0], run_of())
    asked = await of_run.ask(*(transfer(f"i{number}", number + 1) for number in range(count)))
    for replica in replicas:
        replica.kick = kick
    came = await asyncio.gather(
        *(outcome(replicas[number % 2], asked, act) for number, act in enumerate(acts))
    )
    left = await replicas[1].asked_by("acme", of_run.run.id)
    done = list(zip(acts, came, strict=True))
    for which, approval in enumerate(left):
        on_it = [one for one in done if one[0][0] != "end" and one[0][1] % count == which]
        check(approval, on_it)
    ended = [what for (who, _, what), went in done if who == "end" and went is True]
    assert len(ended) <= 1
    decided = all(item.decided_by for item in left)
    how = ended[0] if ended else ("decided" if decided else "")
    assert await of_run.state() == ("due" if how else "waiting", how)
    assert not (ended and any(item.status == "pending" for item in left))
    assert {item.status for item in left if not item.decided_by} <= {"pending", *ended}
    assert bool(kicked) >= bool(how)
    for engine in engines:
        await engine.dispose()


def check(left: Approval, done: list[tuple[Act, Any]]) -> None:
    """One decision stands; all who made it were told so, and all others who made it instead of them."""
    if not left.decided_by:
        assert not any(isinstance(result, Approval) for _, result in done)
        assert left.status != "pending" or not done
        return
    stands = left.decided_by.user_id, left.status
    for (who, _, what), result in done:
        if (who, STATUS_AFTER[what]) == stands:  # type: ignore[index]
            assert result.status == left.status
            assert result.decided_by == left.decided_by
        else:
            assert isinstance(result, ApprovalDecided)
            assert result.extra["decided_by"] == left.decided_by.model_dump()
            assert STATUS_AFTER[result.extra["decision"]] == left.status


async def deleted(engine: AsyncEngine, thread_id: str) -> None:
    await ThreadStore(engine).delete(ALICE, thread_id)


async def erased(engine: AsyncEngine, _thread_id: str) -> None:
    await erase_all_rows(engine, ALICE.tenant_id, ALICE.user_id)


@pytest.mark.parametrize("gone", [deleted, erased])
async def test_a_decision_and_the_deletion_of_its_thread_do_not_wait_for_each_other(
    engine: AsyncEngine, approvals: Approvals, gone: Callable[[AsyncEngine, str], Awaitable[None]]
) -> None:
    """Each locks what the other wants next, unless both begin with the thread: PostgreSQL ended one of them."""
    thread = await ThreadStore(engine).create(ALICE, "agent", "")
    [asked] = await ApprovalsOf(approvals, replace(run_of(), thread_id=thread.id)).ask()
    async with tenant_transaction(engine, "acme") as connection:
        await lock(connection, "acme", asked.run_id)
        deleting = asyncio.ensure_future(gone(engine, thread.id))
        await somebody_waits(engine)
        _, decided = await decide(connection, ALICE, asked.id, decision(asked))
    assert decided
    await deleting
    assert await approvals.asked_by("acme", asked.run_id) == []


async def somebody_waits(engine: AsyncEngine) -> None:
    """Return when a connection waits for a lock of another; of SQLite's nobody knows."""
    if engine.dialect.name != "postgresql":
        return
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with asyncio.timeout(30), engine.connect() as connection:
        while not await connection.scalar(waiting):
            await connection.rollback()  # within a transaction it is told the same again
            await asyncio.sleep(0.01)
