"""What is entered in the books, and what is read from them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from redis.asyncio import Redis
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import InvalidInput
from gatehouse.runs.accounts import ACCOUNTS, Account, account_of, parsed_account
from gatehouse.runs.events import Usage
from gatehouse.runs.records import RunRecord
from gatehouse.usage.bookkeeping import BOOKKEEPER, Bookkeeper, bookkeeping
from gatehouse.usage.purge import purge
from gatehouse.usage.store import UsageStore
from gatehouse.web.resources.usage import MOST_DAYS, checked_range

ALICE = Principal("acme", "alice", "Alice", frozenset({"*"}), "jwt", "1")
BOB = Principal("beta", "bob", "Bob", frozenset({"*"}), "jwt", "2")
ANNA = replace(ALICE, user_id="anna")
NOON = 1_790_000_000.0  # 2026-09-21, 14:13 UTC
DAY = date(2026, 9, 21)


def account(run_id: str, principal: Principal = ALICE, days: int = 0, **changes: object) -> Account:
    ended = Account(
        run_id, principal.tenant_id, principal.user_id, "chat", "completed", NOON + 86_400 * days,
        {"gpt": Usage(10, 5, 15)},
    )  # fmt: skip
    return replace(ended, **changes)  # type: ignore[arg-type]


class TestStore:
    async def test_adds_up_by_day_runnable_and_model(self, engine: AsyncEngine) -> None:
        store = UsageStore(engine)
        await store.enter([
            account("1"),
            account("2", status="failed"),
            account("3", models={"gpt": Usage(1, 1, 2), "mini": Usage(3, 3, 6)}),
            account("4", runnable="agent"),
            account("5", days=1),
        ])  # fmt: skip
        found = await store.of_user(ALICE, DAY, DAY + timedelta(days=1))
        assert [
            (use.day, use.runnable, use.model, use.runs, use.failed, use.total_tokens) for use in found
        ] == [
            (DAY + timedelta(days=1), "chat", "gpt", 1, 0, 15),
            (DAY, "agent", "gpt", 1, 0, 15),
            (DAY, "chat", "gpt", 3, 1, 32),
            (DAY, "chat", "mini", 1, 0, 6),
        ]

    async def test_enters_a_run_once(self, engine: AsyncEngine) -> None:
        store = UsageStore(engine)
        await asyncio.gather(*(store.enter([account("1"), account("2")]) for _ in range(3)))
        await store.enter([account("1"), account("3")])
        [use] = await store.of_user(ALICE, DAY, DAY)
        assert use.runs == 3

    async def test_tells_of_each_run_once_whosever_are_entered_together(self, engine: AsyncEngine) -> None:
        told: list[str] = []

        async def ended(_connection: object, entered: Account) -> None:
            told.append(entered.run_id)

        await UsageStore(engine, ended=ended).enter([account("1"), account("2", BOB), account("3")])
        assert sorted(told) == ["1", "2", "3"]

    async def test_knows_whose_it_is(self, engine: AsyncEngine) -> None:
        store = UsageStore(engine)
        await store.enter([account("1"), account("2", ANNA), account("3", BOB)])
        assert [use.user_id for use in await store.of_user(ALICE, DAY, DAY)] == ["alice"]
        assert [use.user_id for use in await store.of_tenant(ALICE, DAY, DAY)] == ["alice", "anna"]
        assert [use.user_id for use in await store.of_tenant(BOB, DAY, DAY)] == ["bob"]

    async def test_counts_runs_that_called_no_model(self, engine: AsyncEngine) -> None:
        store = UsageStore(engine)
        await store.enter([account("1", models={})])
        [use] = await store.of_user(ALICE, DAY, DAY)
        assert (use.model, use.runs, use.total_tokens) == ("", 1, 0)

    async def test_tells_how_many_answers_were_cut(self, engine: AsyncEngine) -> None:
        store = UsageStore(engine)
        reasons = {"1": "stop", "2": "length", "3": "content_filter", "4": ""}
        await store.enter([account(run_id, finish_reason=reason) for run_id, reason in reasons.items()])
        [use] = await store.of_user(ALICE, DAY, DAY)
        assert (use.runs, use.cut) == (4, 1)

    async def test_tells_the_days_that_were_asked_for(self, engine: AsyncEngine) -> None:
        store = UsageStore(engine)
        await store.enter([account(str(days), days=days) for days in range(-2, 3)])
        found = await store.of_user(ALICE, DAY - timedelta(days=1), DAY + timedelta(days=1))
        assert [use.day.day for use in found] == [22, 21, 20]


@pytest.fixture
async def redis(empty_redis: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(empty_redis) as client:
        yield client


class TestBookkeeper:
    async def test_enters_what_runs_left_and_then_forgets_it(self, engine: AsyncEngine, redis: Redis) -> None:
        store = UsageStore(engine)
        run = RunRecord("run-1", ALICE, "/chat", {}, None, NOON, NOON + 300, 30, state="completed")
        await redis.hset(ACCOUNTS, run.id, account_of(replace(run, models={"gpt": Usage(1, 2, 3)})))
        async with bookkeeping(redis, store, "here"):
            while await redis.hlen(ACCOUNTS):
                await asyncio.sleep(0.02)
        [use] = await store.of_user(ALICE, DAY, DAY)
        assert (use.runnable, use.model, use.total_tokens) == ("chat", "gpt", 3)

    async def test_keeps_in_redis_what_the_database_did_not_take(
        self, engine: AsyncEngine, redis: Redis
    ) -> None:
        store = UsageStore(engine)
        await redis.hset(ACCOUNTS, "1", account_of(RunRecord("1", ALICE, "/chat", {}, None, NOON, NOON, 30)))
        enter, failures = store.enter, 1

        async def failing(accounts: list[Account]) -> None:
            nonlocal failures
            if failures:
                failures -= 1
                raise OperationalError("the database is away", None, Exception())
            await enter(accounts)

        store.enter = failing  # type: ignore[method-assign,assignment]
        with capture_logs() as logs:
            async with bookkeeping(redis, store, "here"):
                while await redis.hlen(ACCOUNTS):
                    await asyncio.sleep(0.02)
        assert [entry["event"] for entry in logs] == ["usage cannot be entered"]
        assert len(await store.of_user(ALICE, DAY, DAY)) == 1

    async def test_leaves_what_comes_while_it_enters(self, engine: AsyncEngine, redis: Redis) -> None:
        async def leave(run_id: str) -> None:
            await redis.hset(
                ACCOUNTS, run_id, account_of(RunRecord(run_id, ALICE, "/chat", {}, None, NOON, NOON, 30))
            )

        async def meanwhile(_connection: object, _account: Account) -> None:
            await leave("later")

        await leave("first")
        assert await Bookkeeper(redis, UsageStore(engine, ended=meanwhile), "here").enter_some() == 1
        assert await redis.hkeys(ACCOUNTS) == [b"later"]

    async def test_enters_nothing_in_another_s_turn(
        self, engine: AsyncEngine, redis: Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gatehouse.usage.bookkeeping.PAUSE", 0.02)
        turns: list[object] = []

        async def ended(_connection: object, _account: Account) -> None:
            turns.append(await redis.get(BOOKKEEPER))

        run = RunRecord("1", ALICE, "/chat", {}, None, NOON, NOON, 30)
        await redis.hset(ACCOUNTS, run.id, account_of(run))
        await redis.set(BOOKKEEPER, "there", px=200)
        async with asyncio.timeout(10), bookkeeping(redis, UsageStore(engine, ended=ended), "here"):
            while await redis.hlen(ACCOUNTS):
                await asyncio.sleep(0.02)
        assert turns == [b"here"]

    async def test_of_two_processes_one_works(self, engine: AsyncEngine, redis: Redis) -> None:
        store = UsageStore(engine)
        here, there = Bookkeeper(redis, store, "here"), Bookkeeper(redis, store, "there")
        assert await here._is_my_turn()
        assert not await there._is_my_turn()
        assert await here._is_my_turn()


def test_account_is_kept_whole() -> None:
    run = RunRecord("1", ALICE, "/chat", {}, None, NOON, NOON, 30, state="failed", duration_ms=1500)
    kept = parsed_account(account_of(replace(run, models={"m": Usage(1, 2, 3)})))
    assert kept == Account("1", "acme", "alice", "chat", "failed", NOON + 1.5, {"m": Usage(1, 2, 3)})


class TestRange:
    def test_is_thirty_days_unless_it_is_said(self) -> None:
        first, last = checked_range(None, DAY)
        assert (last - first).days == 29

    @pytest.mark.parametrize("first", [DAY + timedelta(days=1), DAY - timedelta(days=MOST_DAYS)])
    def test_is_bounded(self, first: date) -> None:
        with pytest.raises(InvalidInput):
            checked_range(first, DAY)

    def test_may_be_the_most(self) -> None:
        assert checked_range(DAY - timedelta(days=MOST_DAYS - 1), DAY)

    def test_begins_with_time_itself(self) -> None:
        assert checked_range(None, date(1, 1, 5)) == (date.min, date(1, 1, 5))


class TestOldRows:
    async def test_are_erased_for_all_tenants(
        self, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gatehouse.usage.purge.AT_ONCE", 2)
        now, day = datetime.now(UTC).timestamp(), 86_400
        store = UsageStore(engine)
        ages = {"new": 0, "kept": 59, "just": 60, "old": 61, "older": 90, "oldest": 400}
        for who in (ALICE, BOB):
            await store.enter(
                [
                    account(f"{who.user_id}-{name}", who, ended_at=now - age * day)
                    for name, age in ages.items()
                ]
            )
        assert await purge(engine, 60) == 6
        assert await purge(engine, 60) == 0
        today = datetime.now(UTC).date()
        for who in (ALICE, BOB):
            found = await store.of_user(who, today - timedelta(days=500), today)
            assert sum(use.runs for use in found) == 3
