"""A call of a tool that acts is begun once, whatever becomes of the attempts that make it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from langchain_core.tools import ToolException
from langgraph.errors import GraphInterrupt
from sqlalchemy import Column, Integer, MetaData, String, Table, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gatehouse.identity.caller import Caller, caller_of
from gatehouse.ledger.effect import Call, Effect, Status
from gatehouse.ledger.ledger import Ledger, Unknown
from gatehouse.ledger.purge import purge
from gatehouse.ledger.store import EffectStore
from gatehouse.ledger.table import effects
from gatehouse.runs.checkpoints.serializing import serializer
from gatehouse.storage.tenancy import tenant_transaction
from gatehouse.tools.acting import Act, Acts, MayNotAct, transaction_of

ALICE = Caller("acme", "alice")
CONFIG: Any = {"configurable": {"tenant_id": "acme", "user_id": "alice"}}
FIRST = Call("acme", "alice", "run-1", 1, "transfer", {"to": "bob", "amount": 5}, "call-1")
SECOND = replace(FIRST, attempt=2)
payments = Table("payments", MetaData(), Column("amount", Integer), Column("key", String))


class Killed(BaseException):
    """The process is gone: nothing that comes after is done."""


class Bank:
    """The other side: what it was asked for, by key; and a ledger before it."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.store = EffectStore(engine)
        self.heard: list[str] = []
        self.ledger = Ledger(self.store, serializer(), lambda _tool, outcome: self.heard.append(outcome))
        self.sent: list[str] = []
        self.fails: BaseException | None = None

    async def send(self) -> Any:
        self.sent.append(caller_of(CONFIG).effect_key)
        if self.fails is not None:
            raise self.fails
        return {"sent": 5}

    async def happened(self, key: str, _caller: Caller) -> Any:
        return {"sent": 5} if key in self.sent else None

    async def make(self, call: Call, declared: Acts | None = None, still: Any = None) -> Any:
        declared = declared or Acts()
        act = Act("transfer", declared, call.call_id, call.args, CONFIG, self.send)
        return await self.ledger.once(act, able(call, declared), ALICE, still or certain)

    async def killed(self, call: Call) -> None:
        """Begin the call in a process that is killed while the tool is at work."""
        await self.store.claim(call)
        await self.send()

    async def statuses(self) -> list[str]:
        async with tenant_transaction(self.engine, "acme") as connection:
            return list(await connection.scalars(select(effects.c.status).order_by(effects.c.claimed_at)))


async def certain() -> None:
    """The lease is in hand."""


def able(call: Call, declared: Acts) -> Call:
    return replace(call, again=declared.idempotent or declared.transaction)


@pytest.fixture
def bank(engine: AsyncEngine) -> Bank:
    return Bank(engine)


class TestWhatWasDone:
    async def test_is_not_done_again_and_returns_what_it_returned(self, bank: Bank) -> None:
        assert await bank.make(FIRST) == await bank.make(SECOND) == {"sent": 5}
        assert len(bank.sent) == 1
        assert bank.heard == ["done", "kept"]

    async def test_in_an_attempt_from_the_start_has_other_ids(self, bank: Bank) -> None:
        for call_id in ("a", "b"):
            await bank.make(replace(FIRST, call_id=call_id))
        for call_id in ("c", "d", "e"):
            await bank.make(replace(SECOND, call_id=call_id, anew=True))
        assert len(bank.sent) == 3  # the third is one that the first attempt had not come to

    async def test_with_other_arguments_is_another_call_of_the_same_id(self, bank: Bank) -> None:
        await bank.make(FIRST)
        await bank.make(replace(FIRST, args={"to": "bob", "amount": 6}))
        assert len(set(bank.sent)) == 2

    async def test_once_more_is_marked_as_the_same(self, bank: Bank) -> None:
        await bank.make(FIRST)
        second = await bank.store.claim(
            replace(FIRST, call_id="call-2", args={"amount": 5, "to": "bob"}, again=False)
        )
        assert (second.same_as, second.fresh) == ("call-1", True)
        third = await bank.store.claim(replace(FIRST, call_id="call-3"))
        assert third.same_as == "call-2"  # the newest

    async def test_without_an_id_is_found_by_its_place_in_the_graph(self, bank: Bank) -> None:
        nameless = replace(FIRST, call_id="", place="tools:1")
        await bank.make(nameless)
        await bank.make(replace(nameless, attempt=2))
        assert len(bank.sent) == 1
        await bank.make(replace(nameless, attempt=2, place="tools:2"))
        assert len(bank.sent) == 2

    async def test_whose_result_cannot_be_kept_is_told(self, bank: Bank) -> None:
        async def opaque() -> Any:
            return await bank.send() and object()

        act = Act("transfer", Acts(), "call-1", FIRST.args, CONFIG, opaque)
        await bank.ledger.once(act, FIRST, ALICE, certain)
        with pytest.raises(ToolException, match="could not be kept"):
            await bank.make(SECOND)
        assert len(bank.sent) == 1


class TestWhatFailed:
    async def test_by_the_tools_own_word_is_told_again(self, bank: Bank) -> None:
        bank.fails = ToolException("There are only 3.")
        for call in (FIRST, SECOND):
            with pytest.raises(ToolException, match=r"There are only 3\."):
                await bank.make(call)
        assert len(bank.sent) == 1

    async def test_by_the_tools_own_word_hinders_no_other_call(self, bank: Bank) -> None:
        bank.fails = ToolException("no money")
        with pytest.raises(ToolException):
            await bank.make(FIRST)
        bank.fails = None
        other = replace(SECOND, call_id="new", args={"to": "bob", "amount": 4}, anew=True)
        assert await bank.make(other) == {"sent": 5}

    async def test_otherwise_may_have_happened_and_is_not_tried_again(self, bank: Bank) -> None:
        bank.fails = TimeoutError()
        with pytest.raises(Unknown, match="TimeoutError"):
            await bank.make(FIRST)
        with pytest.raises(Unknown, match="whether the same call was done before"):
            await bank.make(replace(FIRST, call_id="call-2"))
        assert len(bank.sent) == 1
        assert bank.heard == ["unknown", "unknown"]

    async def test_by_an_exception_is_asked_about(self, bank: Bank) -> None:
        bank.fails = TimeoutError()
        assert await bank.make(FIRST, Acts(check=bank.happened)) == {"sent": 5}
        with pytest.raises(TimeoutError):
            await bank.make(replace(FIRST, call_id="call-2"), Acts(check=nothing_happened))
        assert await bank.statuses() == ["done", "failed"]

    async def test_in_the_other_sides_answer_is_unknown(self, bank: Bank) -> None:
        async def away(_key: str, _caller: Caller) -> Any:
            raise ConnectionError

        bank.fails = TimeoutError()
        with pytest.raises(Unknown, match="ConnectionError"):
            await bank.make(FIRST, Acts(check=away))


class SlowStore(EffectStore):
    """Says that it is about to settle, and waits for a word."""

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine)
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()

    async def settle(self, *settled: Any, **more: Any) -> None:
        self.begun.set()
        await self.go_on.wait()
        await super().settle(*settled, **more)


class TestWhatWasStopped:
    async def test_while_its_result_is_kept_is_kept_all_the_same(self, bank: Bank) -> None:
        store = SlowStore(bank.engine)
        bank.ledger = Ledger(store, serializer(), lambda *_: None)
        making = asyncio.create_task(bank.make(FIRST))
        await store.begun.wait()
        making.cancel()
        await asyncio.sleep(0)
        store.go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await making
        assert await bank.statuses() == ["done"]

    async def test_is_unknown(self, bank: Bank) -> None:
        bank.fails = asyncio.CancelledError()
        with pytest.raises(asyncio.CancelledError):
            await bank.make(FIRST)
        with pytest.raises(Unknown, match="stopped"):
            await bank.make(SECOND)
        assert len(bank.sent) == 1

    async def test_to_ask_a_person_is_called_again(self, bank: Bank) -> None:
        bank.fails = GraphInterrupt()
        with pytest.raises(GraphInterrupt):
            await bank.make(FIRST)
        bank.fails = None
        assert await bank.make(SECOND) == {"sent": 5}


class TestAProcessThatWasKilled:
    async def test_leaves_what_nobody_repeats(self, bank: Bank) -> None:
        await bank.killed(FIRST)
        for call in (SECOND, replace(SECOND, attempt=3)):
            with pytest.raises(Unknown, match="was gone before it had returned"):
                await bank.make(call)
        assert len(bank.sent) == 1
        assert await bank.statuses() == ["unknown"]

    async def test_before_a_try_from_the_start_leaves_no_way_round(self, bank: Bank) -> None:
        """The model is asked anew, and may choose other words for the same."""
        await bank.killed(FIRST)
        with pytest.raises(Unknown, match="other arguments"):
            await bank.make(replace(SECOND, call_id="new", args={"to": "bob", "amount": 5.5}, anew=True))
        with pytest.raises(Unknown, match="was gone"):
            await bank.make(replace(SECOND, call_id="other", anew=True))
        assert len(bank.sent) == 1

    async def test_has_an_idempotent_tool_called_with_the_same_key(self, bank: Bank) -> None:
        await bank.killed(FIRST)
        key = (await bank.store.claim(FIRST)).key
        await bank.make(SECOND, Acts(idempotent=True))
        assert bank.sent[1] == key
        assert await bank.statuses() == ["done"]

    @pytest.mark.parametrize("before", [True, False])
    async def test_has_the_other_side_asked(self, bank: Bank, before: bool) -> None:
        claimed = await bank.store.claim(FIRST)
        if before:
            bank.sent.append(claimed.key)
        assert await bank.make(SECOND, Acts(check=bank.happened)) == {"sent": 5}
        assert bank.sent == [claimed.key]

    async def test_and_was_only_paused_does_not_begin(self, bank: Bank) -> None:
        """It wakes up between its claim and its first step, when another attempt has found the claim."""

        async def lost() -> None:
            with pytest.raises(Unknown):
                await bank.make(SECOND)
            raise MayNotAct

        with pytest.raises(MayNotAct):
            await bank.make(FIRST, still=lost)
        assert bank.sent == []
        with pytest.raises(Unknown, match="never began"):  # whoever is asked is told
            await bank.make(replace(SECOND, attempt=3))

    async def test_may_have_acted_though_the_next_attempt_did_not_begin(self, bank: Bank) -> None:
        async def lost() -> None:
            raise MayNotAct

        await bank.killed(FIRST)
        with pytest.raises(MayNotAct):
            await bank.make(SECOND, Acts(idempotent=True), lost)
        assert await bank.statuses() == ["unknown"]

    async def test_and_was_only_paused_claims_nothing_anew_that_another_has_found(self, bank: Bank) -> None:
        await bank.killed(FIRST)
        found, later = [await bank.store.claim(replace(FIRST, attempt=attempt)) for attempt in (2, 3)]
        assert await bank.store.again(found) is False
        assert await bank.store.again(later) is True

    async def test_and_was_only_paused_claims_nothing_more(self, bank: Bank) -> None:
        await bank.make(SECOND)
        with pytest.raises(MayNotAct):
            await bank.make(replace(FIRST, call_id="call-2"))
        assert len(bank.sent) == 1

    async def test_and_was_only_paused_tells_what_it_has_done(self, bank: Bank) -> None:
        claimed = await bank.store.claim(FIRST)
        with pytest.raises(Unknown):
            await bank.make(SECOND)
        await bank.store.settle(claimed, "done", result=serializer().dumps_typed("late"))
        assert await bank.make(replace(SECOND, attempt=3)) == "late"

    @pytest.mark.parametrize("late", ["done", "failed", "unknown"])
    async def test_and_was_only_paused_settles_nothing_that_is_anothers_now(
        self, bank: Bank, late: Status
    ) -> None:
        claimed = await bank.store.claim(FIRST)
        again = await bank.store.claim(able(SECOND, Acts(idempotent=True)))
        assert again.fresh
        await bank.store.settle(claimed, late, "late")
        assert await bank.statuses() == ["claimed"]
        await bank.store.settle(again, "done")
        await bank.store.settle(claimed, late, "late")
        row = await bank.store.read(again)
        assert row is not None
        assert (row.status, row.error) == ("done", "")


class TestAPerson:
    """Says of an effect that is unknown what came of it."""

    @staticmethod
    async def decide(bank: Bank, call: Call, **decision: Any) -> Any:
        with pytest.raises(Unknown) as unknown:
            await bank.make(call)
        act = Act("transfer", Acts(), call.call_id, call.args, CONFIG, bank.send)
        return await bank.ledger.decided(act, unknown.value.effect, decision, ALICE, certain)

    @pytest.mark.parametrize(
        ("result", "told"), [("sent", "sent"), ({"sent": 5}, '{"sent":5}'), (None, "A person has found")]
    )
    async def test_that_it_happened(self, bank: Bank, result: Any, told: str) -> None:
        await bank.killed(FIRST)
        assert told in await self.decide(bank, SECOND, type="happened", result=result)
        assert told in await bank.make(replace(SECOND, attempt=3))
        assert len(bank.sent) == 1

    async def test_that_it_is_to_be_made_and_each_time_anew(self, bank: Bank) -> None:
        await bank.killed(FIRST)
        assert await self.decide(bank, SECOND, type="run_again") == {"sent": 5}
        assert len(bank.sent) == 2
        again = replace(FIRST, run_id="run-2")
        await bank.killed(again)
        bank.fails = Killed()
        with pytest.raises(Killed):
            await self.decide(bank, replace(again, attempt=2), type="run_again")
        with pytest.raises(Unknown) as unknown:
            await bank.make(replace(again, attempt=3))
        assert unknown.value.effect.decided == 1  # what was said of the first call is not said of the second

    async def test_that_it_is_given_up(self, bank: Bank) -> None:
        await bank.killed(FIRST)
        with pytest.raises(ToolException, match="given it up"):
            await self.decide(bank, SECOND, type="give_up")
        with pytest.raises(ToolException, match="given it up"):
            await bank.make(replace(SECOND, attempt=3))
        assert len(bank.sent) == 1


class UnheardStore(EffectStore):
    """Commits, and loses the connection before it is told so."""

    @asynccontextmanager
    async def transaction(self, effect: Effect) -> AsyncIterator[AsyncConnection]:
        async with super().transaction(effect) as connection:
            yield connection
        raise ConnectionResetError


class TestInATransaction:
    @pytest.fixture(autouse=True)
    async def table(self, engine: AsyncEngine) -> AsyncIterator[None]:
        async with engine.begin() as connection:
            await connection.run_sync(payments.metadata.create_all)
        yield
        async with engine.begin() as connection:
            await connection.run_sync(payments.metadata.drop_all)

    @staticmethod
    async def make(bank: Bank, call: Call, fails: BaseException | None = None) -> Any:
        async def pay() -> Any:
            row = {"amount": 5, "key": caller_of(CONFIG).effect_key}
            await transaction_of(CONFIG).execute(insert(payments).values(row))
            if fails is not None:
                raise fails
            return "paid"

        declared = Acts(transaction=True)
        act = Act("transfer", declared, call.call_id, call.args, CONFIG, pay)
        return await bank.ledger.once(act, able(call, declared), ALICE, certain)

    @staticmethod
    async def paid(bank: Bank) -> int:
        async with bank.engine.connect() as connection:
            return int(await connection.scalar(select(func.count()).select_from(payments)) or 0)

    async def test_effect_and_record_are_there_together(self, bank: Bank) -> None:
        assert await self.make(bank, FIRST) == await self.make(bank, SECOND) == "paid"
        assert await self.paid(bank) == 1
        assert await bank.statuses() == ["done"]

    async def test_neither_is_there_when_the_process_was_killed(self, bank: Bank) -> None:
        with pytest.raises(Killed):
            await self.make(bank, FIRST, Killed())
        assert await self.paid(bank) == 0
        assert await self.make(bank, SECOND) == "paid"
        assert await self.paid(bank) == 1

    async def test_what_failed_is_undone(self, bank: Bank) -> None:
        with pytest.raises(LookupError):
            await self.make(bank, FIRST, LookupError())
        assert await self.paid(bank) == 0
        assert await bank.statuses() == ["failed"]

    async def test_whose_end_was_not_heard_of_is_found_to_have_come_through(self, bank: Bank) -> None:
        bank.ledger = Ledger(UnheardStore(bank.engine), serializer(), lambda *_: None)
        assert await self.make(bank, FIRST) == "paid"
        assert (await self.paid(bank), await bank.statuses()) == (1, ["done"])

    async def test_one_attempt_pays_when_two_are_at_it(self, bank: Bank) -> None:
        first = await bank.store.claim(able(FIRST, Acts(transaction=True)))
        assert await self.make(bank, SECOND) == "paid"
        with pytest.raises(MayNotAct):
            async with bank.store.transaction(first):
                pytest.fail("a claim that is another's was held")
        assert await self.paid(bank) == 1

    async def test_an_attempt_whose_claim_another_has_taken_does_not_begin(self, bank: Bank) -> None:
        first, second = [
            await bank.store.claim(able(call, Acts(transaction=True))) for call in (FIRST, SECOND)
        ]
        with pytest.raises(MayNotAct):
            async with bank.store.transaction(first):
                pytest.fail("a claim that is another's was held")
        async with bank.store.transaction(second):
            pass

    async def test_an_attempt_that_finds_one_about_to_commit_waits_for_it(self, bank: Bank) -> None:
        """A process that was paused in its tool wakes up and commits: it still has the call."""
        first = await bank.store.claim(able(FIRST, Acts(transaction=True)))
        async with bank.store.transaction(first) as connection:
            second = asyncio.create_task(self.make(bank, SECOND))
            await asyncio.sleep(0.3)
            assert not second.done()
            await connection.execute(insert(payments).values(amount=5, key=first.key))
            paid = serializer().dumps_typed("paid by the first")
            await bank.store.settle_within(connection, first, "done", result=paid)
        assert await second == "paid by the first"
        assert await self.paid(bank) == 1

    async def test_a_tool_that_acts_elsewhere_is_refused(self, bank: Bank) -> None:
        with pytest.raises(TypeError, match="has not acted on transaction_of"):
            await bank.make(FIRST, Acts(transaction=True))


async def nothing_happened(_key: str, _caller: Caller) -> Any:
    return None


async def test_two_attempts_at_once_begin_a_call_once(bank: Bank) -> None:
    calls = [replace(FIRST, attempt=number) for number in (1, 2, 3)]
    claimed = await asyncio.gather(*(bank.store.claim(call) for call in calls), return_exceptions=True)
    fresh = [one for one in claimed if not isinstance(one, BaseException) and one.fresh]
    assert len(fresh) == 1


async def test_rows_are_erased_when_they_are_old(bank: Bank) -> None:
    await bank.make(FIRST)
    assert await purge(bank.engine, 30) == 0
    async with tenant_transaction(bank.engine, "acme") as connection:
        old = effects.update().values(claimed_at=datetime.now(UTC) - timedelta(days=31))
        await connection.execute(old)
    assert await purge(bank.engine, 30) == 1
    assert await bank.statuses() == []
