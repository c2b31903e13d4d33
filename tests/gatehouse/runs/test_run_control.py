"""What processes ask of each other through Redis: stops, turns in a thread, keys, viewers."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis
from run_replicas import ALICE, BOB

from gatehouse.problems.errors import InvalidInput
from gatehouse.runs.lifecycle.control import Control, own_name, viewers_key
from gatehouse.runs.records import RunRecord, run_key

RUN = RunRecord(
    id="run-a",
    principal=ALICE,
    runnable="/chat",
    input={},
    thread_id="t1",
    created_at=1000.0,
    deadline=1100.0,
    grace=30,
)
B, C, D = replace(RUN, id="run-b"), replace(RUN, id="run-c"), replace(RUN, id="run-d")


@pytest.fixture
def control(redis: Redis) -> Control:
    return Control(redis)


async def running(redis: Redis, run: RunRecord) -> None:
    await redis.hset(run_key(run.id), mapping=run.fields())


class TestThread:
    async def test_goes_to_one_after_another(self, redis: Redis, control: Control) -> None:
        assert await control.claim_thread(RUN, 30) is None
        await running(redis, RUN)
        assert [await control.claim_thread(run, 30) for run in (B, C, D)] == ["run-a"] * 3
        await control.leave_thread(RUN)
        assert [await control.claim_thread(run, 30) for run in (D, C, B)] == ["run-b", "run-b", None]
        await running(redis, B)
        assert await control.claim_thread(D, 30) == "run-b"
        await control.leave_thread(B)
        assert [await control.claim_thread(run, 30) for run in (D, C)] == ["run-c", None]

    async def test_is_held_before_its_run_is_stored(self, control: Control) -> None:
        assert await control.claim_thread(RUN, 30) is None
        assert await control.claim_thread(B, 30) == "run-a"

    async def test_is_free_again_when_its_run_was_never_stored(
        self, control: Control, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gatehouse.runs.lifecycle.control.STARTING_SECONDS", 0.1)
        assert await control.claim_thread(RUN, 30) is None
        await asyncio.sleep(0.15)
        assert await control.claim_thread(B, 30) is None

    async def test_is_free_again_when_its_run_has_ended_unnoticed(
        self, redis: Redis, control: Control
    ) -> None:
        assert await control.claim_thread(RUN, 30) is None
        await running(redis, replace(RUN, state="completed"))
        assert await control.claim_thread(B, 30) is None

    async def test_passes_over_one_that_waits_no_more(
        self, redis: Redis, control: Control, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gatehouse.runs.lifecycle.control.WAITING_SECONDS", 0.1)
        assert await control.claim_thread(RUN, 30) is None
        await running(redis, RUN)
        assert await control.claim_thread(B, 30) == "run-a"
        await asyncio.sleep(0.15)
        await control.leave_thread(RUN)
        assert await control.claim_thread(C, 30) is None

    async def test_is_left_by_its_holder_alone(self, redis: Redis, control: Control) -> None:
        assert await control.claim_thread(RUN, 30) is None
        await running(redis, RUN)
        assert await control.claim_thread(B, 30) == "run-a"
        await control.leave_thread(B)
        assert await control.claim_thread(C, 30) == "run-a"

    async def test_is_each_users_own(self, control: Control) -> None:
        """A claim comes before it is known whose thread it is."""
        others = [replace(RUN, id=f"run-{i}", principal=p) for i, p in enumerate(
            (BOB, replace(ALICE, user_id="bob"), replace(ALICE, tenant_id="beta"))
        )]  # fmt: skip
        for run in (RUN, *others):
            assert await control.claim_thread(run, 30) is None

    async def test_leaves_no_key_for_ever(self, redis: Redis, control: Control) -> None:
        await control.claim_thread(RUN, 0.5)
        await control.claim_thread(B, 0.5)
        keys = [key async for key in redis.scan_iter("gh:thread:*")]
        assert len(keys) == 4
        for key in keys:
            assert await redis.pttl(key) > 0


class TestRunOfThread:
    @pytest.mark.parametrize("state", ["running", "waiting", "completed", "failed", "cancelled"])
    async def test_is_the_one_that_goes_on_in_it(self, redis: Redis, control: Control, state: Any) -> None:
        assert await control.run_of(ALICE, "t1") is None
        assert await control.claim_thread(RUN, 30) is None
        await running(redis, replace(RUN, state=state))
        assert await control.run_of(ALICE, "t1") == ("run-a" if state in ("running", "waiting") else None)

    async def test_is_told_before_it_is_stored(self, control: Control) -> None:
        assert await control.claim_thread(RUN, 30) is None
        assert await control.run_of(ALICE, "t1") == "run-a"

    async def test_is_not_told_to_another(self, redis: Redis, control: Control) -> None:
        assert await control.claim_thread(RUN, 30) is None
        await running(redis, RUN)
        for other in (replace(ALICE, user_id="bob"), replace(ALICE, tenant_id="beta")):
            assert await control.run_of(other, "t1") is None


class TestCancelMark:
    async def test_is_set_on_a_running_run_alone(self, redis: Redis, control: Control) -> None:
        await running(redis, RUN)
        await running(redis, replace(B, state="failed"))
        assert await control.mark_cancelled("run-a", "cancelled")
        assert not await control.mark_cancelled("run-b", "cancelled")
        assert not await control.mark_cancelled("run-c", "cancelled")
        assert await redis.hget(run_key("run-a"), "cancel") == b"cancelled"
        assert await redis.hget(run_key("run-b"), "cancel") == b""
        assert await redis.exists(run_key("run-c")) == 0


class TestKey:
    async def test_belongs_to_the_first_run(self, control: Control) -> None:
        assert await control.claim_key(ALICE, "k", b"body", "run-a", 30) == "run-a"
        assert await control.claim_key(ALICE, "k", b"body", "run-b", 30) == "run-a"
        assert await control.claim_key(BOB, "k", b"other", "run-c", 30) == "run-c"

    async def test_is_refused_with_another_body(self, control: Control) -> None:
        await control.claim_key(ALICE, "k", b"body", "run-a", 30)
        with pytest.raises(InvalidInput, match="another body"):
            await control.claim_key(ALICE, "k", b"BODY", "run-b", 30)

    async def test_of_a_start_that_died_is_free_again(self, control: Control) -> None:
        await control.claim_key(ALICE, "dead", b"body", "run-a", 0.5)
        await asyncio.sleep(1.1)
        assert await control.claim_key(ALICE, "dead", b"body", "run-c", 30) == "run-c"

    @pytest.mark.parametrize("key", ["", "k" * 10_000, "a b\r\nc", "{x}", "\x00", "🔑"])
    async def test_may_be_any_text(self, redis: Redis, control: Control, key: str) -> None:
        assert await control.claim_key(ALICE, key, b"body", "run-a", 30) == "run-a"
        [stored] = [stored async for stored in redis.scan_iter("gh:idempotency:*")]
        assert len(stored) == len("gh:idempotency:") + 64


def test_a_name_is_no_other_principals() -> None:
    names = {
        own_name(replace(ALICE, tenant_id=tenant, user_id=user), name)
        for tenant, user, name in [
            ("a", "b", "c"),
            ("ab", "", "c"),
            ("a", "bc", ""),
            ("", "ab", "c"),
            ("b", "a", "c"),
        ]
    }
    assert len(names) == 5


class TestViewers:
    async def test_elsewhere_count_until_their_time(self, redis: Redis, control: Control) -> None:
        await running(redis, RUN)
        assert await control.note_viewers(["run-a"], "they", 1000.5) == []
        assert await control.watched_elsewhere("run-a", 1000.0)
        assert not await control.watched_elsewhere("run-a", 1001.0)
        assert not await control.watched_elsewhere("run-b", 1000.0)
        assert 0 < await redis.ttl(viewers_key("run-a")) <= 600

    async def test_of_runs_that_are_gone_are_told(self, redis: Redis, control: Control) -> None:
        await running(redis, B)
        assert await control.note_viewers(["run-a", "run-b", "run-c"], "they", 1000.0) == ["run-a", "run-c"]
