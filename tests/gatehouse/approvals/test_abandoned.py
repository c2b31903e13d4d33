"""Calls of runs that nobody holds any more are found, of all tenants, and people are asked what came of them."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from approval_runs import ALICE, ApprovalsOf, decision, run_of
from redis.asyncio import Redis
from sqlalchemy import update

from gatehouse.approvals.abandoned import AT_ONCE, Search
from gatehouse.approvals.service import Approvals
from gatehouse.approvals.waits import ApprovalWaits
from gatehouse.ledger.effect import Call, Effect
from gatehouse.ledger.store import EffectStore
from gatehouse.ledger.table import effects
from gatehouse.problems.approvals import ApprovalDecided
from gatehouse.runs.events import Cursor, End, record
from gatehouse.runs.lifecycle.attempts import Attempts, lease_key
from gatehouse.runs.records import RunRecord, run_key
from gatehouse.storage.tenancy import tenant_transaction

HOUR_AGO = timedelta(hours=1)


class Office:
    """A ledger, a Redis, and who looks for calls that nobody is at any more."""

    def __init__(self, approvals: Approvals, redis: Redis) -> None:
        self.approvals = approvals
        self.redis = redis
        self.attempts = Attempts(redis, "me", lease=30, keep=60)
        self.store = EffectStore(approvals.engine)
        self.heard: list[str] = []

    def search(self) -> Search:
        waits = ApprovalWaits(self.approvals, lambda tool, _outcome: self.heard.append(tool))
        return Search(self.approvals, waits, self.attempts)

    async def begun(self, run: RunRecord, ago: timedelta = HOUR_AGO) -> Effect:
        """Claim a call of the run's, so long ago."""
        principal = run.principal
        call = Call(
            principal.tenant_id, principal.user_id, run.id, 1, "transfer", {"amount": 5}, "c1",
            user_name=principal.name, runnable="agent",
        )  # fmt: skip
        effect = await self.store.claim(call)
        async with tenant_transaction(self.approvals.engine, principal.tenant_id) as connection:
            claimed = update(effects).where(effects.c.run_id == run.id)
            await connection.execute(claimed.values(claimed_at=datetime.now(UTC) - ago))
        return effect

    async def status(self, effect: Effect) -> str:
        row = await self.store.read(effect)
        assert row is not None
        return row.status

    async def asked(self, runs: Iterable[RunRecord]) -> list[tuple[str, str]]:
        """Return what is asked about these runs: their tools, and what became of that."""
        return [
            (str(one.tool), one.status)
            for run in runs
            for one in await self.approvals.asked_by(run.principal.tenant_id, run.id)
        ]


@pytest.fixture
async def redis(empty_redis: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(empty_redis) as client:
        yield client


@pytest.fixture
def office(approvals: Approvals, redis: Redis) -> Office:
    return Office(approvals, redis)


class TestALostRun:
    async def test_leaves_a_call_unknown_that_people_are_asked_about_once(self, office: Office) -> None:
        here, there = run_of(), run_of(replace(ALICE, tenant_id="beta"))
        begun = [await office.begun(run) for run in (here, there)]
        await asyncio.gather(*(office.search().look() for _ in range(3)))
        await office.search().look()
        assert [await office.status(effect) for effect in begun] == ["unknown", "unknown"]
        assert await office.asked([here, there]) == [("transfer", "pending")] * 2
        assert office.heard == ["transfer"] * 2
        [asked] = await office.approvals.asked_by("acme", here.id)
        assert (asked.kind, asked.runnable, asked.args) == ("effect", "agent", {"amount": 5})
        assert asked.owner.name == "Alice"

    async def test_whose_process_has_stopped_its_tool_is_asked_about_too(self, office: Office) -> None:
        run = run_of()
        await office.store.settle(await office.begun(run), "unknown", "it was stopped while it was at work")
        for _ in range(2):
            await office.search().look()
        assert await office.asked([run]) == [("transfer", "pending")]
        assert office.heard == []  # it was told when it was stopped

    async def test_is_found_behind_many_that_go_on(self, office: Office) -> None:
        runs = [run_of() for _ in range(AT_ONCE + 1)]
        for run in runs[:-1]:
            await office.begun(run)
            await office.redis.set(lease_key(run.id), "somebody")
        effect = await office.begun(runs[-1])
        await office.search().look()
        assert await office.status(effect) == "unknown"
        assert office.heard == ["transfer"]

    async def test_of_a_process_that_says_later_that_it_was_done_is_believed(self, office: Office) -> None:
        run = run_of()
        effect = await office.begun(run)
        await office.search().look()
        await office.store.settle(effect, "done", result=("json", b'"sent"'))
        assert await office.status(effect) == "done"
        [asked] = await office.approvals.asked_by("acme", run.id)
        await office.search().look()
        assert await office.asked([run]) == [("transfer", "cancelled")]
        with pytest.raises(ApprovalDecided, match="known by now"):
            await office.approvals.decide(ALICE, asked.id, decision(asked, "give_up"))

    async def test_that_had_ended_is_asked_about_too(self, office: Office) -> None:
        """A process that was paused before its claim, and then killed, has claimed it after the end."""
        run = run_of()
        await office.attempts.create(run)
        last = record(Cursor(1, 1), End(status="failed"))
        assert await office.attempts.finish(replace(run, state="failed"), [last])
        effect = await office.begun(run)
        await office.search().look()
        assert await office.status(effect) == "unknown"


class TestNothingIsAsked:
    async def test_about_a_run_whose_process_goes_on(self, office: Office) -> None:
        run = run_of()
        await office.attempts.create(run)
        effect = await office.begun(run)
        await office.search().look()
        assert await office.status(effect) == "claimed"

    async def test_about_a_run_that_the_next_attempt_will_find(self, office: Office) -> None:
        run = run_of()
        await office.attempts.create(run)
        await office.redis.delete(lease_key(run.id))
        effect = await office.begun(run)
        await office.search().look()
        assert await office.status(effect) == "claimed"

    async def test_about_a_run_that_waits_and_is_restored(self, office: Office, of_run: ApprovalsOf) -> None:
        await of_run.ask()
        effect = await office.begun(of_run.run)
        assert not await office.redis.exists(run_key(of_run.run.id))
        await office.search().look()
        assert await office.status(effect) == "claimed"

    async def test_about_a_call_that_has_begun_just_now(self, office: Office) -> None:
        effect = await office.begun(run_of(), ago=timedelta(seconds=5))
        await office.search().look()
        assert await office.status(effect) == "claimed"

    async def test_about_one_that_would_be_committed_with_its_row(self, office: Office) -> None:
        """It was not done: else its row would say so."""
        run = run_of()
        call = Call("acme", "alice", run.id, 1, "book", {}, "c1", in_transaction=True)
        effect = await office.store.claim(call)
        assert await office.approvals.ask_what_is_left("acme", run.id) == []
        assert await office.status(effect) == "failed"
