"""Leases, as Redis keeps them: who may execute a run, and who may not any more."""

import asyncio
import time
from dataclasses import replace

import pytest
from redis.asyncio import Redis
from run_replicas import ALICE, until

from gatehouse.limits.reservations import UNLIMITED, Hold, Settlement
from gatehouse.runs.events import BEGINNING, Complete, Cursor, End, Token, Usage, record
from gatehouse.runs.lifecycle.attempts import ACTIVE, UNWELL, Attempts, Renewed, lease_key
from gatehouse.runs.lifecycle.control import Control
from gatehouse.runs.log.dense import packed
from gatehouse.runs.log.log import RunLog, log_key
from gatehouse.runs.records import RunRecord, load, run_key

RUN = RunRecord(
    id="0198c0de-0000-7000-8000-000000000001",
    principal=ALICE,
    runnable="/chat",
    input={"input": "hello"},
    thread_id=None,
    created_at=1000.0,
    deadline=1100.0,
    grace=30,
)
CLOSING = [
    record(Cursor(1, 3), Complete(content="ab", usage=Usage(), duration_ms=5)),
    record(Cursor(1, 4), End(status="completed")),
]
ENDED = replace(
    RUN, state="completed", text="ab", text_cursor=Cursor(1, 2), usage=Usage(1, 2, 3), duration_ms=5
)

HELD = Settlement(
    tuple(f"gh:{whose}:{what}" for whose in ("user", "tenant") for what in ("slots", "reserved", "tokens")),
    ("seat", "seat:500", 3),
)


@pytest.fixture
def mine(redis: Redis) -> Attempts:
    return Attempts(redis, "me", 0.3, 60)


@pytest.fixture
def theirs(redis: Redis) -> Attempts:
    return Attempts(redis, "they", 0.3, 60)


async def lapse(redis: Redis) -> None:
    await redis.delete(lease_key(RUN.id))


class TestCreate:
    async def test_stores_a_run_that_this_process_holds(self, redis: Redis, mine: Attempts) -> None:
        await mine.create(RUN)
        assert await load(redis, RUN.id) == RUN
        assert await mine.owner_of(RUN.id) == "me"
        assert 100 < await redis.pttl(lease_key(RUN.id)) <= 300
        assert await redis.ttl(run_key(RUN.id)) == await redis.ttl(log_key(RUN.id)) == 160

    async def test_makes_an_empty_log(self, redis: Redis, mine: Attempts) -> None:
        await mine.create(RUN)
        assert await redis.exists(log_key(RUN.id)) == 1
        assert await RunLog(redis).after(RUN.id, BEGINNING) == []


class TestUndo:
    HELD = Hold(HELD.keys, (60_000, "seat", "seat:500", *(UNLIMITED,) * 4))

    async def test_gives_back_what_the_run_has_of_its_callers_limits(
        self, redis: Redis, mine: Attempts
    ) -> None:
        await mine.create(RUN, self.HELD)
        assert await redis.zrange("gh:user:slots", 0, -1) == [b"seat"]
        await mine.undo(RUN, self.HELD)
        assert await redis.exists("gh:user:slots", "gh:tenant:slots", "gh:user:reserved") == 0
        assert await redis.hget("gh:user:tokens", "reserved") == b"0"

    async def test_frees_an_idempotency_key_that_is_its_own(self, redis: Redis, mine: Attempts) -> None:
        for claim, left in (("another-run body", b"another-run body"), (f"{RUN.id} body", None)):
            await redis.set("key", claim)
            await mine.undo(replace(RUN, idempotency="key"))
            assert await redis.get("key") == left


class TestTake:
    async def test_is_refused_while_the_lease_is_held(self, mine: Attempts, theirs: Attempts) -> None:
        await mine.create(RUN)
        assert await theirs.take(RUN.id) == 0

    async def test_can_be_asked_for_again(self, redis: Redis, mine: Attempts, theirs: Attempts) -> None:
        """The reply may be lost with the connection: the client then repeats the command."""
        await mine.create(RUN)
        await lapse(redis)
        assert [await theirs.take(RUN.id) for _ in range(2)] == [2, 2]

    async def test_makes_the_next_attempt_when_it_has_run_out(
        self, redis: Redis, mine: Attempts, theirs: Attempts
    ) -> None:
        await mine.create(RUN)
        await asyncio.sleep(0.35)
        assert await theirs.take(RUN.id) == 2
        assert await theirs.owner_of(RUN.id) == "they"
        found = await load(redis, RUN.id)
        assert found is not None
        assert found.attempt == 2

    async def test_of_a_run_that_has_its_place_still_needs_no_further(
        self, redis: Redis, mine: Attempts, theirs: Attempts
    ) -> None:
        hold = Hold(HELD.keys, (60_000, "seat", "seat:500", 1, 500, 1, 500))
        await mine.create(RUN, hold)
        await lapse(redis)
        assert await theirs.take(RUN.id, hold) == 2

    @pytest.mark.parametrize(("runs", "tokens", "attempt"), [(1, 500, 2), (0, 500, -1), (1, 499, -1)])
    async def test_of_a_run_whose_place_has_lapsed_needs_room(
        self, redis: Redis, mine: Attempts, theirs: Attempts, runs: int, tokens: int, attempt: int
    ) -> None:
        await mine.create(RUN)
        await lapse(redis)
        hold = Hold(HELD.keys, (60_000, "seat", "seat:500", runs, tokens, runs, tokens))
        assert await theirs.take(RUN.id, hold) == attempt

    async def test_has_one_winner(self, redis: Redis, mine: Attempts) -> None:
        await mine.create(RUN)
        await lapse(redis)
        takers = [Attempts(redis, f"process {number}", 0.3, 60) for number in range(10)]
        taken = await asyncio.gather(*[taker.take(RUN.id) for taker in takers])
        assert sorted(taken) == [0] * 9 + [2]

    async def test_is_refused_of_a_run_that_has_ended_or_never_was(
        self, redis: Redis, mine: Attempts, theirs: Attempts
    ) -> None:
        assert await theirs.take(RUN.id) == 0
        await mine.create(RUN)
        await mine.finish(ENDED, CLOSING)
        assert await theirs.take(RUN.id) == 0
        assert await redis.exists(lease_key(RUN.id)) == 0


class TestUnwellRedis:
    """Leases have run out whose owners are alive: they come first."""

    async def test_lets_a_run_be_taken_that_was_handed_over_and_once(
        self, redis: Redis, mine: Attempts, theirs: Attempts
    ) -> None:
        await redis.set(UNWELL, 1)
        await mine.create(RUN)
        await mine.release(RUN.id)
        assert await theirs.take(RUN.id) == 2
        await lapse(redis)
        assert await mine.take(RUN.id) == 0
        await redis.delete(UNWELL)
        assert await mine.take(RUN.id) == 3


class TestRenew:
    async def test_keeps_the_lease(self, redis: Redis, mine: Attempts) -> None:
        await mine.create(RUN)
        began = time.monotonic()
        while time.monotonic() - began < 0.7:
            assert await mine.renew({RUN.id: 1}, 2000.0) == Renewed()
            assert await mine.owner_of(RUN.id) == "me"
            await asyncio.sleep(0.05)
        assert await redis.zscore(ACTIVE, RUN.id) == 2000.0

    async def test_takes_a_lease_up_again_that_nobody_took(self, redis: Redis, mine: Attempts) -> None:
        await mine.create(RUN)
        await lapse(redis)
        assert await mine.renew({RUN.id: 1}, 2000.0) == Renewed()
        assert await mine.owner_of(RUN.id) == "me"

    async def test_tells_which_runs_are_lost(self, redis: Redis, mine: Attempts, theirs: Attempts) -> None:
        await mine.create(RUN)
        other = replace(RUN, id="0198c0de-0000-7000-8000-000000000002")
        await mine.create(other)
        await lapse(redis)
        await theirs.take(RUN.id)
        renewed = await mine.renew({RUN.id: 1, other.id: 1}, 2000.0)
        assert renewed == Renewed(lost=frozenset({RUN.id}))
        assert await mine.owner_of(RUN.id) == "they"

    async def test_loses_a_run_whose_newer_attempt_has_run_out_too(
        self, redis: Redis, mine: Attempts, theirs: Attempts
    ) -> None:
        await mine.create(RUN)
        await lapse(redis)
        await theirs.take(RUN.id)
        await lapse(redis)
        assert await mine.renew({RUN.id: 1}, 2000.0) == Renewed(lost=frozenset({RUN.id}))
        assert await mine.owner_of(RUN.id) is None

    async def test_loses_a_run_that_ended_or_was_erased(self, redis: Redis, mine: Attempts) -> None:
        await mine.create(RUN)
        await mine.finish(ENDED, CLOSING)
        assert (await mine.renew({RUN.id: 1}, 2000.0)).lost == {RUN.id}
        await redis.delete(run_key(RUN.id))
        assert (await mine.renew({RUN.id: 1}, 2000.0)).lost == {RUN.id}
        assert await redis.exists(run_key(RUN.id), lease_key(RUN.id)) == 0

    async def test_tells_which_runs_are_to_stop(self, redis: Redis, mine: Attempts) -> None:
        await mine.create(RUN)
        await redis.hset(run_key(RUN.id), "cancel", "cancelled")
        assert await mine.renew({RUN.id: 1}, 2000.0) == Renewed(cancelled=frozenset({RUN.id}))

    async def test_tells_whose_text_is_wanted_until_it_is_saved(self, redis: Redis, mine: Attempts) -> None:
        await mine.create(RUN)
        await mine.want_text(RUN.id)
        assert await mine.renew({RUN.id: 1}, 2000.0) == Renewed(wanted=frozenset({RUN.id}))
        await mine.trim(RUN.id, BEGINNING, "ab", Cursor(1, 2))
        assert await mine.renew({RUN.id: 1}, 2000.0) == Renewed()

    async def test_of_many_is_told_of_each(
        self, redis: Redis, mine: Attempts, theirs: Attempts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gatehouse.runs.lifecycle.attempts.RENEWED_AT_ONCE", 2)
        runs = [replace(RUN, id=f"0198c0de-0000-7000-8000-00000000000{number}") for number in range(5)]
        for run in runs:
            await mine.create(run)
        await redis.delete(lease_key(runs[1].id))
        await theirs.take(runs[1].id)
        await redis.hset(run_key(runs[3].id), "cancel", "cancelled")
        renewed = await mine.renew({run.id: 1 for run in runs}, 2000.0)
        assert renewed == Renewed(lost=frozenset({runs[1].id}), cancelled=frozenset({runs[3].id}))
        assert set(await mine.neglected(2000.0)) == {run.id for run in runs}
        assert await redis.zscore(ACTIVE, runs[1].id) != 2000.0  # it is its own process's to look after

    async def test_of_nothing_asks_nothing(self, mine: Attempts) -> None:
        assert await mine.renew({}, 2000.0) == Renewed()


class TestExcuse:
    async def test_is_for_an_attempt_that_another_took_over(
        self, redis: Redis, mine: Attempts, theirs: Attempts
    ) -> None:
        async def handovers() -> int:
            run = await load(redis, RUN.id)
            return run.handovers if run else 0

        await mine.create(RUN)
        await mine.excuse(RUN.id, 1)  # it goes on here after all
        assert await handovers() == 0
        await lapse(redis)
        await theirs.take(RUN.id)
        await mine.excuse(RUN.id, 1)
        assert await handovers() == 1


class TestRelease:
    async def test_lets_another_process_take_the_run_and_look_for_it(
        self, redis: Redis, mine: Attempts, theirs: Attempts
    ) -> None:
        await mine.create(RUN)
        assert await theirs.neglected(0.0) == []
        await mine.release(RUN.id)
        assert await theirs.neglected(0.0) == [RUN.id]
        assert await theirs.take(RUN.id) == 2

    async def test_leaves_the_lease_of_another_alone(
        self, redis: Redis, mine: Attempts, theirs: Attempts
    ) -> None:
        await mine.create(RUN)
        await theirs.release(RUN.id)
        assert await mine.owner_of(RUN.id) == "me"
        assert await theirs.neglected(0.0) == []

    async def test_does_not_list_a_run_that_has_ended(self, redis: Redis, mine: Attempts) -> None:
        await mine.create(RUN)
        await redis.zrem(ACTIVE, RUN.id)
        await mine.release(RUN.id)
        assert await mine.neglected(0.0) == []


class TestFinish:
    async def test_appends_the_end_and_stores_the_outcome(self, redis: Redis, mine: Attempts) -> None:
        await mine.create(RUN)
        await redis.xadd(log_key(RUN.id), {"records": packed([record(Cursor(1, 2), Token("ab"))])}, id="1-2")
        assert await mine.finish(ENDED, CLOSING)
        assert await load(redis, RUN.id) == ENDED
        assert (await RunLog(redis).after(RUN.id, Cursor(1, 2))) == CLOSING
        assert await redis.exists(lease_key(RUN.id)) == 0
        assert await redis.ttl(run_key(RUN.id)) == await redis.ttl(log_key(RUN.id)) == 60
        assert await mine.neglected(1e12) == []

    async def test_gives_its_thread_to_who_waits(self, redis: Redis, mine: Attempts) -> None:
        control = Control(redis)
        first, second = (replace(RUN, id=f"{RUN.id[:-1]}{number}", thread_id="t1") for number in (8, 9))
        for run in (first, second):
            await mine.create(run)
        assert await control.claim_thread(first, 10) is None
        assert await control.claim_thread(second, 10) == first.id
        assert await mine.finish(replace(ENDED, id=first.id, thread_id="t1"), CLOSING)
        assert await control.claim_thread(second, 10) is None

    async def test_twice_is_once(self, redis: Redis, mine: Attempts) -> None:
        """The reply may be lost with the connection: the end is then asked for again."""
        await mine.create(RUN)
        assert await mine.finish(ENDED, CLOSING)
        assert await mine.finish(ENDED, CLOSING)
        assert await RunLog(redis).after(RUN.id, Cursor(1, 2)) == CLOSING

    async def test_is_refused_when_another_attempt_is_the_newest(
        self, redis: Redis, mine: Attempts, theirs: Attempts
    ) -> None:
        await mine.create(RUN)
        await lapse(redis)
        await theirs.take(RUN.id)
        assert not await mine.finish(ENDED, CLOSING)
        found = await load(redis, RUN.id)
        assert found == replace(RUN, attempt=2)
        assert await RunLog(redis).after(RUN.id, BEGINNING) == []
        assert await theirs.neglected(1e12) == [RUN.id]

    async def test_settles_what_the_run_held_and_once(self, redis: Redis, mine: Attempts) -> None:
        await mine.create(RUN)
        await redis.hset("gh:user:tokens", mapping={"day": 0, "used": 0, "reserved": 500})
        await redis.zadd("gh:user:reserved", {"seat:500": 1e15})
        await redis.zadd("gh:user:slots", {"seat": 1e15})
        for _ in range(2):
            assert await mine.finish(ENDED, CLOSING, HELD)
        assert await redis.hmget("gh:user:tokens", "used", "reserved") == [b"3", b"0"]
        assert await redis.hget("gh:tenant:tokens", "used") == b"3"
        assert await redis.exists("gh:user:slots", "gh:user:reserved") == 0

    async def test_of_a_process_that_lost_the_run_settles_nothing(
        self, redis: Redis, mine: Attempts, theirs: Attempts
    ) -> None:
        await mine.create(RUN)
        await redis.zadd("gh:user:slots", {"seat": 1e15})
        await lapse(redis)
        await theirs.take(RUN.id)
        assert not await mine.finish(ENDED, CLOSING, HELD)
        assert await redis.zcard("gh:user:slots") == 1
        assert await redis.exists("gh:user:tokens") == 0

    async def test_does_not_bring_an_erased_run_back(self, redis: Redis, mine: Attempts) -> None:
        await mine.create(RUN)
        await redis.delete(run_key(RUN.id), log_key(RUN.id), lease_key(RUN.id))
        assert not await mine.finish(ENDED, CLOSING)
        assert [key async for key in redis.scan_iter(f"*{RUN.id}*")] == []


class TestWait:
    """An attempt ends with what it asks people."""

    LAST = (record(Cursor(1, 3), End(status="waiting")),)

    async def test_lets_the_lease_go_and_twice_is_once(self, redis: Redis, mine: Attempts) -> None:
        await mine.create(RUN)
        for _ in range(2):
            assert await mine.wait(RUN, self.LAST, HELD, 60) == 1
        assert await load(redis, RUN.id) == replace(RUN, state="waiting")
        assert await RunLog(redis).after(RUN.id, BEGINNING) == [*self.LAST]
        assert await mine.owner_of(RUN.id) is None
        assert await mine.neglected(1e12) == []

    async def test_is_no_more_for_a_run_that_was_cancelled_meanwhile(
        self, redis: Redis, mine: Attempts
    ) -> None:
        await mine.create(RUN)
        await Control(redis).mark_cancelled(RUN.id, "cancelled")
        assert await mine.wait(RUN, self.LAST, HELD, 60) == 2
        assert await load(redis, RUN.id) == replace(RUN, cancel="cancelled")
        assert await mine.owner_of(RUN.id) == "me"

    async def test_is_refused_when_another_attempt_is_the_newest(
        self, redis: Redis, mine: Attempts, theirs: Attempts
    ) -> None:
        await mine.create(RUN)
        await lapse(redis)
        await theirs.take(RUN.id)
        assert await mine.wait(RUN, self.LAST, HELD, 60) == 0
        assert await load(redis, RUN.id) == replace(RUN, attempt=2)


class TestGoOn:
    async def go_on(self, attempts: Attempts) -> int:
        return await attempts.go_on(RUN, 1, 60, {"deadline": 1200.0})

    async def test_is_for_a_run_that_waits_and_is_done_once(self, redis: Redis, mine: Attempts) -> None:
        await mine.create(RUN)
        await mine.wait(RUN, TestWait.LAST, HELD, 60)
        assert [await self.go_on(mine), await self.go_on(mine)] == [1, 0]
        assert await mine.take(RUN.id) == 2
        assert await self.go_on(mine) == 2
        run = await load(redis, RUN.id)
        assert run is not None
        assert (run.attempt, run.after_wait, run.handovers, run.deadline) == (2, True, 1, 1200.0)

    async def test_is_too_early_while_the_attempt_that_is_to_wait_goes_on(self, mine: Attempts) -> None:
        await mine.create(RUN)
        assert await self.go_on(mine) == 0

    async def test_of_a_run_that_redis_has_lost_is_told_so(self, mine: Attempts) -> None:
        assert await self.go_on(mine) == -1


class TestRestore:
    """Of a run that waits, and that Redis has lost."""

    WAITS = replace(RUN, state="waiting", thread_id="t1")

    async def test_gives_it_its_thread_again(self, redis: Redis, mine: Attempts) -> None:
        await mine.restore(self.WAITS, 60)
        assert await load(redis, RUN.id) == self.WAITS
        assert await Control(redis).claim_thread(replace(self.WAITS, id=f"{RUN.id[:-1]}9"), 10) == RUN.id

    async def test_leaves_alone_what_was_not_lost_after_all(self, redis: Redis, mine: Attempts) -> None:
        goes_on = replace(self.WAITS, state="running", attempt=2)
        await mine.create(goes_on)
        await mine.restore(self.WAITS, 60)
        assert await load(redis, RUN.id) == goes_on

    async def test_takes_the_thread_from_nobody(self, redis: Redis, mine: Attempts) -> None:
        control, after = Control(redis), replace(self.WAITS, id=f"{RUN.id[:-1]}9", state="running")
        assert await control.claim_thread(after, 10) is None
        await mine.create(after)
        await mine.restore(self.WAITS, 60)
        assert await control.run_of(ALICE, "t1") == after.id


class TestTrim:
    async def filled(self, redis: Redis, mine: Attempts) -> None:
        await mine.create(RUN)
        for sequence in (2, 4, 6):
            items = [record(Cursor(1, at), Token(f"{at} ")) for at in (sequence - 1, sequence)]
            await redis.xadd(log_key(RUN.id), {"records": packed(items)}, id=f"1-{sequence}")

    async def test_saves_the_text_and_drops_entries_that_end_below(
        self, redis: Redis, mine: Attempts
    ) -> None:
        await self.filled(redis, mine)
        await mine.trim(RUN.id, Cursor(1, 3), "1 2 3 4 5 6 ", Cursor(1, 6))
        left = await RunLog(redis).after(RUN.id, BEGINNING)
        assert [item.cursor.sequence for item in left] == [3, 4, 5, 6]
        found = await load(redis, RUN.id)
        assert found is not None
        assert (found.text, found.text_cursor) == ("1 2 3 4 5 6 ", Cursor(1, 6))

    async def test_does_nothing_to_a_newer_attempt(
        self, redis: Redis, mine: Attempts, theirs: Attempts
    ) -> None:
        await self.filled(redis, mine)
        await lapse(redis)
        await theirs.take(RUN.id)
        await mine.trim(RUN.id, Cursor(1, 6), "stale", Cursor(1, 6))
        assert await load(redis, RUN.id) == replace(RUN, attempt=2)
        assert len(await RunLog(redis).after(RUN.id, BEGINNING)) == 6

    async def test_does_nothing_to_a_run_that_has_ended(self, redis: Redis, mine: Attempts) -> None:
        await mine.create(RUN)
        await mine.finish(ENDED, CLOSING)
        await mine.trim(RUN.id, Cursor(1, 9), "stale", Cursor(1, 1))
        assert await load(redis, RUN.id) == ENDED
        assert len(await RunLog(redis).after(RUN.id, BEGINNING)) == 2


class TestNeglected:
    async def test_names_the_runs_not_heard_of_in_time(self, redis: Redis, mine: Attempts) -> None:
        await mine.create(RUN)
        await mine.renew({RUN.id: 1}, 2000.0)
        assert await mine.neglected(1999.0) == []
        assert await mine.neglected(2000.0) == [RUN.id]
        await mine.forget(RUN.id)
        assert await mine.neglected(2000.0) == []


async def test_a_lease_runs_out_by_itself(mine: Attempts) -> None:
    began = time.monotonic()
    await mine.create(RUN)

    async def free() -> bool:
        return await mine.owner_of(RUN.id) is None

    await until(free, 2)
    assert time.monotonic() - began > 0.2
