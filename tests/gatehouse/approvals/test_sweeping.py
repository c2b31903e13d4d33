"""Runs of any tenant that are due, or whose time is over, are found and gone on with."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from approval_runs import ALICE, ApprovalsOf, decision, transfer
from langchain_core.utils.uuid import uuid7
from sqlalchemy import update

from gatehouse.approvals.service import Approvals
from gatehouse.approvals.sweeping import Sweep
from gatehouse.approvals.tables import waiting_runs
from gatehouse.approvals.waits import ApprovalWaits
from gatehouse.identity.principal import Principal
from gatehouse.runs.events import Usage
from gatehouse.runs.waits import WaitingRun
from gatehouse.storage.tenancy import tenant_transaction
from gatehouse.threads.store import Answer, ThreadStore


class Runs:
    """Stands for the engine, and keeps what is to go on."""

    def __init__(self, goes_on: bool = True) -> None:
        self.continuing = self.redis = self
        self.goes_on = goes_on
        self.went: list[WaitingRun] = []

    async def hgetall(self, _key: str) -> dict[bytes, bytes]:
        return {}

    async def exists(self, _key: str) -> int:
        return 1

    async def go_on(self, waiting: WaitingRun) -> bool:
        self.went.append(waiting)
        return self.goes_on


async def works(_principal: Principal) -> bool:
    return True


async def revoked(_principal: Principal) -> bool:
    return False


def sweep_of(approvals: Approvals, runs: Runs, not_revoked: Any = works) -> Sweep:
    sweep = Sweep(approvals, runs, not_revoked)  # type: ignore[arg-type]  # the part of an engine that it uses
    approvals.kick = sweep.kick
    return sweep


class TestLook:
    async def test_goes_on_once_with_what_was_decided(self, of_run: ApprovalsOf) -> None:
        [asked] = await of_run.ask()
        await of_run.approvals.decide(ALICE, asked.id, decision(asked))
        runs = Runs()
        sweep = sweep_of(of_run.approvals, runs)
        await sweep.look()
        await sweep.look()
        [went] = runs.went
        assert (went.run.id, went.how, went.decider) == (of_run.run.id, "decided", ALICE)
        assert await of_run.state() == ("gone", "decided")

    async def test_comes_again_while_it_is_too_early(self, of_run: ApprovalsOf) -> None:
        [asked] = await of_run.ask()
        runs = Runs(goes_on=False)
        sweep = sweep_of(of_run.approvals, runs)
        await of_run.approvals.decide(ALICE, asked.id, decision(asked))
        await sweep.look()
        assert len(runs.went) == 2
        assert await of_run.state() == ("due", "decided")

    async def test_leaves_what_the_run_asks_next(self, of_run: ApprovalsOf) -> None:
        """It may come to that before the process that let it go on has noted that it did."""
        [asked] = await of_run.ask()
        await of_run.approvals.decide(ALICE, asked.id, decision(asked))

        class Swift(Runs):
            async def go_on(self, waiting: WaitingRun) -> bool:
                of_run.run = replace(of_run.run, attempt=2)
                await of_run.ask(transfer("i2"))
                return await super().go_on(waiting)

        await sweep_of(of_run.approvals, Swift()).look()
        assert await of_run.state() == ("waiting", "")

    async def test_ends_what_nobody_decided_in_time(self, of_run: ApprovalsOf) -> None:
        of_run.approvals.lifetime = timedelta(0)
        await of_run.ask(transfer("i1"), transfer("i2"))
        runs = Runs()
        await sweep_of(of_run.approvals, runs).look()
        assert [went.how for went in runs.went] == ["expired"]
        assert await of_run.statuses() == ["expired", "expired"]

    async def test_ends_a_run_whose_credential_was_revoked(self, of_run: ApprovalsOf) -> None:
        [asked] = await of_run.ask()
        runs = Runs()
        sweep_of(of_run.approvals, runs, revoked)
        await of_run.approvals.decide(ALICE, asked.id, decision(asked))
        assert [went.how for went in runs.went] == ["revoked"]

    async def test_of_two_replicas_at_once_harms_nothing(self, of_run: ApprovalsOf) -> None:
        [asked] = await of_run.ask()
        await of_run.approvals.decide(ALICE, asked.id, decision(asked))
        runs = Runs()
        sweeps = [sweep_of(of_run.approvals, runs) for _ in range(2)]
        await asyncio.gather(*(sweep.look() for sweep in sweeps))
        assert await of_run.state() == ("gone", "decided")


class TestRunThatWentOn:
    async def test_goes_on_once_more_when_redis_has_lost_it(self, of_run: ApprovalsOf) -> None:
        runs, sweep = await gone_on(of_run)
        await sweep.look()
        assert len(runs.went) == 2

    async def test_is_forgotten_when_its_answer_is_there(self, of_run: ApprovalsOf) -> None:
        runs, sweep = await gone_on(of_run)
        threads, thread_id = ThreadStore(of_run.approvals.engine), str(uuid7())
        await threads.open(ALICE, thread_id, "agent", of_run.run.id, "Pay Bob.")
        await threads.answer(ALICE, thread_id, Answer(of_run.run.id, 2, "Done.", (), "complete", Usage()))
        await sweep.look()
        assert len(runs.went) == 1
        assert await of_run.approvals.is_due("acme", of_run.run.id) is False


async def gone_on(of_run: ApprovalsOf) -> tuple[Runs, Sweep]:
    """Have a run go on, and its Redis be lost since."""
    [asked] = await of_run.ask()
    runs = Runs()
    sweep = sweep_of(of_run.approvals, runs)
    await of_run.approvals.decide(ALICE, asked.id, decision(asked))
    long_ago = datetime.now(UTC) - timedelta(minutes=5)
    async with tenant_transaction(of_run.approvals.engine, "acme") as connection:
        await connection.execute(update(waiting_runs).values(changed_at=long_ago))
    return runs, sweep


async def test_a_run_that_waits_is_kept_whole_for_whoever_looks(of_run: ApprovalsOf) -> None:
    waits = ApprovalWaits(of_run.approvals, lambda _tool, _outcome: None)
    await of_run.ask()
    for tenant_id in ("acme", ""):  # the sweep of checkpoints in a SQLite file knows no tenants
        kept = await waits.kept(tenant_id, of_run.run.id)
        assert kept is not None
        assert (kept.id, kept.input, kept.principal) == (of_run.run.id, of_run.run.input, ALICE)
    assert await waits.kept("beta", of_run.run.id) is None
