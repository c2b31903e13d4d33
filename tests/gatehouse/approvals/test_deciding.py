"""One winner: who decides on an approval, what others are told, and when the run goes on."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from approval_runs import ALICE, CAROL, DAVE, ELSEWHERE, ApprovalsOf, decision, transfer

from gatehouse.approvals.deciders import Deciders
from gatehouse.approvals.models import Decision
from gatehouse.approvals.service import Approvals
from gatehouse.approvals.waits import ApprovalWaits
from gatehouse.problems.approvals import (
    ApprovalChanged,
    ApprovalDecided,
    ApprovalExpired,
    NotAllowedToDecide,
)
from gatehouse.problems.errors import InvalidInput, NotFound


class TestDecide:
    async def test_lets_the_run_go_on_with_what_was_decided(self, of_run: ApprovalsOf) -> None:
        [asked] = await of_run.ask()
        assert (asked.status, await of_run.state()) == ("pending", ("waiting", ""))
        decided = await of_run.approvals.decide(ALICE, asked.id, decision(asked))
        assert (decided.status, decided.may_decide) == ("approved", False)
        assert decided.decided_by is not None
        assert decided.decided_by.user_id == "alice"
        assert await of_run.state() == ("due", "decided")
        answers, _ = await of_run.approvals.decided("acme", of_run.run.id)
        assert answers == {"i1": {"type": "approve", "digest": asked.digest, "id": asked.id}}

    async def test_is_told_of_what_was_asked_last(self, of_run: ApprovalsOf) -> None:
        for interrupt in ("i1", "i2"):
            [asked] = await of_run.ask(transfer(interrupt))
            await of_run.approvals.decide(ALICE, asked.id, decision(asked))
        waits = ApprovalWaits(of_run.approvals, lambda _tool, _outcome: None)
        heard = await waits.answers(of_run.run)
        assert [event.approval_id for event in heard.events] == [asked.id]
        assert heard.by_interrupt.keys() == {"i1", "i2"}

    async def test_waits_for_the_last_one_that_is_open(self, of_run: ApprovalsOf) -> None:
        first, second = await of_run.ask(transfer("i1"), transfer("i2", 200))
        await of_run.approvals.decide(ALICE, first.id, decision(first))
        assert await of_run.state() == ("waiting", "")
        await of_run.approvals.decide(ALICE, second.id, decision(second, "reject", message="too much"))
        assert await of_run.state() == ("due", "decided")

    async def test_again_by_the_same_person_finds_the_first_result(self, of_run: ApprovalsOf) -> None:
        [asked] = await of_run.ask()
        first = await of_run.approvals.decide(ALICE, asked.id, decision(asked))
        assert await of_run.approvals.decide(ALICE, asked.id, decision(asked)) == first

    async def test_after_another_says_who_decided_what(self, of_run: ApprovalsOf) -> None:
        [asked] = await of_run.ask()
        await of_run.approvals.decide(ALICE, asked.id, decision(asked, "reject"))
        for late, choice in ((CAROL, "reject"), (ALICE, "approve")):
            with pytest.raises(ApprovalDecided, match="Alice has decided already: reject") as refusal:
                await of_run.approvals.decide(late, asked.id, Decision(decision=choice, digest=asked.digest))
            assert refusal.value.extra["decided_by"] == {"user_id": "alice", "name": "Alice"}
        assert await of_run.statuses() == ["rejected"]

    async def test_on_another_digest_changes_nothing(self, of_run: ApprovalsOf) -> None:
        [asked] = await of_run.ask()
        with pytest.raises(ApprovalChanged):
            await of_run.approvals.decide(ALICE, asked.id, Decision(decision="approve", digest="0" * 64))
        assert (await of_run.statuses(), await of_run.state()) == (["pending"], ("waiting", ""))

    async def test_too_late_is_told_so(self, of_run: ApprovalsOf) -> None:
        of_run.approvals.lifetime = timedelta(0)
        [asked] = await of_run.ask()
        assert not (await of_run.approvals.get(ALICE, asked.id)).may_decide
        assert await of_run.approvals.count(ALICE) == 0
        with pytest.raises(ApprovalExpired):
            await of_run.approvals.decide(ALICE, asked.id, decision(asked))
        assert await of_run.approvals.end("acme", of_run.run.id, "expired")
        with pytest.raises(ApprovalExpired):
            await of_run.approvals.decide(ALICE, asked.id, decision(asked))
        assert (await of_run.statuses(), await of_run.state()) == (["expired"], ("due", "expired"))

    async def test_that_is_faulty_can_be_corrected(self, of_run: ApprovalsOf) -> None:
        [asked] = await of_run.ask()
        for args in ({"to": "Eve"}, {"to": "Eve", "amount": 1, "note": "which nobody would read"}):
            with pytest.raises(InvalidInput) as refusal:
                await of_run.approvals.decide(ALICE, asked.id, decision(asked, "edit", args=args))
            assert refusal.value.extra["errors"][0]["loc"] == ["args"]
        assert await of_run.statuses() == ["pending"]
        edit = {"to": "Eve", "amount": 1}
        await of_run.approvals.decide(ALICE, asked.id, decision(asked, "edit", args=edit))
        answers, _ = await of_run.approvals.decided("acme", of_run.run.id)
        assert answers["i1"] == {"type": "edit", "digest": asked.digest, "id": asked.id, "args": edit}

    @pytest.mark.parametrize("said", [{}, {"message": None}, {"message": " "}, {"args": {}}])
    async def test_that_answers_in_a_tools_place_says_something(
        self, of_run: ApprovalsOf, said: dict[str, Any]
    ) -> None:
        [asked] = await of_run.ask()
        with pytest.raises(InvalidInput) as refusal:
            await of_run.approvals.decide(ALICE, asked.id, decision(asked, "respond", **said))
        assert refusal.value.extra["errors"][0]["loc"] == [next(iter(said), "message")]

    async def test_after_the_run_was_cancelled_is_refused(self, of_run: ApprovalsOf) -> None:
        [asked] = await of_run.ask()
        assert await of_run.approvals.end("acme", of_run.run.id, "cancelled")
        with pytest.raises(ApprovalDecided, match="cancelled"):
            await of_run.approvals.decide(ALICE, asked.id, decision(asked))
        assert not await of_run.approvals.end("acme", of_run.run.id, "cancelled")


class TestCounted:
    async def test_is_what_was_opened_and_what_became_of_it(self, of_run: ApprovalsOf) -> None:
        heard: list[tuple[str, str]] = []
        of_run.approvals.counted = lambda runnable, outcome: heard.append((runnable, outcome))
        first, second = await of_run.ask(transfer("i1"), transfer("i2", 5))
        await of_run.approvals.decide(ALICE, first.id, decision(first))
        await of_run.approvals.decide(ALICE, first.id, decision(first))
        await of_run.approvals.end("acme", of_run.run.id, "cancelled")
        assert second.status == "pending"
        outcomes = ["opened", "opened", "approved", "cancelled"]
        assert heard == [("agent", outcome) for outcome in outcomes]


class TestWhoMayDecide:
    async def test_is_who_asked_and_who_has_the_scope(self, of_run: ApprovalsOf) -> None:
        [asked] = await of_run.ask()
        get = of_run.approvals.get
        assert [(await get(person, asked.id)).may_decide for person in (ALICE, CAROL)] == [True, True]
        for stranger in (DAVE, ELSEWHERE):
            with pytest.raises(NotFound):
                await get(stranger, asked.id)
            with pytest.raises(NotFound):
                await of_run.approvals.decide(stranger, asked.id, decision(asked))
        await of_run.approvals.decide(CAROL, asked.id, decision(asked))

    async def test_of_four_eyes_is_never_oneself(self, of_run: ApprovalsOf) -> None:
        of_run.approvals.deciders = {"/agent": Deciders(four_eyes=True)}
        [asked] = await of_run.ask()
        with pytest.raises(NotAllowedToDecide):
            await of_run.approvals.decide(ALICE, asked.id, decision(asked))
        assert [await of_run.approvals.count(person) for person in (ALICE, CAROL, DAVE)] == [0, 1, 0]
        await of_run.approvals.decide(CAROL, asked.id, decision(asked))

    @pytest.mark.parametrize(("claim", "may"), [(["treasury"], True), ("treasury", True), (["it"], False)])
    async def test_of_groups_is_who_has_one(self, claim: object, may: bool) -> None:
        deciders = Deciders(groups=("treasury",))
        carol = CAROL.__class__("acme", "carol", "Carol", CAROL.scopes, "jwt", "c", claims={"groups": claim})
        assert deciders.include(carol, "alice") is may

    @pytest.mark.parametrize(("scopes", "may"), [((), False), (("runs:write",), True)])
    async def test_with_a_key_is_who_may_change_runs(self, scopes: tuple[str, ...], may: bool) -> None:
        key = replace(ALICE, credential="api_key", scopes=frozenset(scopes))
        assert Deciders().include(key, "alice") is may


class TestOpen:
    async def test_twice_is_once(self, of_run: ApprovalsOf) -> None:
        assert await of_run.ask() == await of_run.ask()

    async def test_cancels_what_an_attempt_that_was_lost_had_asked(self, of_run: ApprovalsOf) -> None:
        await of_run.ask(transfer("lost"))
        await of_run.ask(transfer("now"))
        assert await of_run.statuses() == ["cancelled", "pending"]

    async def test_leaves_what_was_decided_of_an_attempt_that_was_lost(self, of_run: ApprovalsOf) -> None:
        [asked] = await of_run.ask(transfer("lost"))
        await of_run.approvals.decide(ALICE, asked.id, decision(asked))
        await of_run.ask(transfer("now"))
        assert await of_run.statuses() == ["approved", "pending"]

    async def test_of_what_was_decided_meanwhile_lets_the_run_go_on(self, of_run: ApprovalsOf) -> None:
        [asked] = await of_run.ask()
        await of_run.approvals.decide(ALICE, asked.id, decision(asked))
        await of_run.ask()
        assert await of_run.state() == ("due", "decided")

    async def test_tells_of_an_earlier_call_that_looks_the_same(self, of_run: ApprovalsOf) -> None:
        first, other, again = await of_run.ask(transfer("i1"), transfer("i2", 5), transfer("i3"))
        assert (first.same_as, other.same_as, again.same_as) == (None, None, first.id)
        *_, later = await of_run.ask(transfer("i1"), transfer("i2", 5), transfer("i3"), transfer("i4"))
        assert later.same_as == first.id


class TestList:
    async def test_is_of_ones_own_and_the_newest_first(
        self, of_run: ApprovalsOf, approvals: Approvals
    ) -> None:
        first, second = await of_run.ask(transfer("i1"), transfer("i2", 5))
        page, after = await approvals.page(ALICE, status="pending", run_id=of_run.run.id, limit=1)
        assert ([item.id for item in page], after) == ([second.id], second.id)
        page, after = await approvals.page(ALICE, before=after, limit=1)
        assert ([item.id for item in page], after) == ([first.id], None)
        assert await approvals.page(DAVE) == ([], None)
        assert await approvals.page(ELSEWHERE) == ([], None)
        assert (await approvals.count(ALICE), await approvals.count(ELSEWHERE)) == (2, 0)
