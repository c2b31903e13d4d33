"""Calls that an ended run has left unknown: people are asked, and the ledger takes what they say."""

import asyncio
from typing import Any

import pytest
from approval_runs import ALICE, DAVE, ApprovalsOf, decision, transfer
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.approvals.models import Approval, Choice
from gatehouse.ledger.effect import Call, Effect
from gatehouse.ledger.store import EffectStore
from gatehouse.ledger.table import effects
from gatehouse.problems.approvals import ApprovalDecided
from gatehouse.problems.errors import InvalidInput, NotFound
from gatehouse.storage.tenancy import tenant_transaction

ARGS = {"to": "Bob", "amount": 100}


async def claimed(of_run: ApprovalsOf, engine: AsyncEngine, call_id: str = "c1", **said: Any) -> Effect:
    """Claim a call of the run's, as an attempt does that is lost then."""
    call = Call("acme", "alice", of_run.run.id, 1, "transfer", ARGS, call_id, user_name="Alice", **said)
    return await EffectStore(engine).claim(call)


async def asked(of_run: ApprovalsOf) -> list[Approval]:
    return [approval for _, approval in await of_run.approvals.ask_what_is_left("acme", of_run.run.id)]


async def on_record(engine: AsyncEngine, effect: Effect) -> Any:
    query = select(effects.c.status).where(effects.c.run_id == effect.run_id)
    async with tenant_transaction(engine, "acme") as connection:
        return await connection.scalar(query)


async def test_a_claim_is_unknown_and_asked_about_once(of_run: ApprovalsOf, engine: AsyncEngine) -> None:
    effect = await claimed(of_run, engine)
    [(left, opened)] = await of_run.approvals.ask_what_is_left("acme", of_run.run.id)
    assert (left.effect.call_id, left.found) == ("c1", True)
    assert (opened.tool, opened.args, opened.tool_call_id) == ("transfer", ARGS, "c1")
    assert await on_record(engine, effect) == "unknown"
    assert (opened.owner.user_id, opened.owner.name) == ("alice", "Alice")
    assert await asked(of_run) == []


async def test_what_was_done_is_not_asked_about(of_run: ApprovalsOf, engine: AsyncEngine) -> None:
    await EffectStore(engine).settle(await claimed(of_run, engine), "done")
    assert await asked(of_run) == []


@pytest.mark.parametrize(("choice", "status"), [("happened", "done"), ("give_up", "failed")])
async def test_the_ledger_takes_what_a_person_says(
    of_run: ApprovalsOf, engine: AsyncEngine, choice: Choice, status: str
) -> None:
    effect = await claimed(of_run, engine)
    [opened] = await asked(of_run)
    with pytest.raises(InvalidInput):
        await of_run.approvals.decide(ALICE, opened.id, decision(opened, "run_again"))
    with pytest.raises(NotFound):
        await of_run.approvals.decide(DAVE, opened.id, decision(opened, choice))
    await of_run.approvals.decide(ALICE, opened.id, decision(opened, choice))
    assert await on_record(engine, effect) == status


async def test_of_decisions_at_once_one_counts(of_run: ApprovalsOf, engine: AsyncEngine) -> None:
    effect = await claimed(of_run, engine)
    [opened] = await asked(of_run)
    choices: list[Choice] = ["happened", "give_up"] * 3
    answers = await asyncio.gather(
        *(of_run.approvals.decide(ALICE, opened.id, decision(opened, choice)) for choice in choices),
        return_exceptions=True,
    )
    assert {type(answer) for answer in answers} == {Approval, ApprovalDecided}
    [counts] = {answer.status for answer in answers if isinstance(answer, Approval)}
    assert await of_run.statuses() == [counts]
    assert await on_record(engine, effect) == {"happened": "done", "given_up": "failed"}[counts]


async def test_what_was_found_out_meanwhile_stands(of_run: ApprovalsOf, engine: AsyncEngine) -> None:
    effect = await claimed(of_run, engine)
    [opened] = await asked(of_run)
    await EffectStore(engine).settle(effect, "done")
    await of_run.approvals.decide(ALICE, opened.id, decision(opened, "give_up"))
    assert await on_record(engine, effect) == "done"


async def test_it_stays_open_when_what_the_run_waited_for_is_closed(
    of_run: ApprovalsOf, engine: AsyncEngine
) -> None:
    await of_run.ask(transfer())
    await claimed(of_run, engine)
    await asked(of_run)
    await of_run.approvals.forget("acme", of_run.run.id)
    assert await of_run.statuses() == ["cancelled", "pending"]
