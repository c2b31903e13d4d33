"""A run ends with the credential that it was started with: in time, on whichever replica it is."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest
from agent_graphs import agent_graph
from langchain_core.tools import StructuredTool, tool
from redis.asyncio import Redis
from redis.exceptions import TimeoutError as RedisTimeout
from run_replicas import ALICE, BOB, Replica, Replicas, until
from run_runnables import Told
from run_viewers import Viewer, assert_dense, last, seen, types
from structlog.typing import EventDict

from gatehouse.identity.principal import Principal
from gatehouse.models.scripted.chat import ScriptedChatModel
from gatehouse.problems.errors import CredentialExpired
from gatehouse.registry.entry import Parts
from gatehouse.runs import acting, credentials
from gatehouse.runs.acting import BeforeActing, RunMayNotAct
from gatehouse.runs.credentials import credentials_watched, end_runs_of_ended_credentials
from gatehouse.runs.lifecycle.attempts import lease_key
from gatehouse.runs.records import RunRecord
from gatehouse.runs.sources.graphs.streaming_agent import StreamingAgent
from gatehouse.runs.sources.tap import Tap
from gatehouse.tools.acting import Act, acts, guarded


class Ledger:
    """Which credentials hold, and how often each was asked about."""

    def __init__(self) -> None:
        self.ended: set[str] = set()
        self.asked: list[str] = []
        self.failure: Exception | None = None

    async def credential_valid(self, principal: Principal) -> bool:
        self.asked.append(principal.credential_id)
        if self.failure is not None:
            raise self.failure
        return principal.credential_id not in self.ended


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def assert_told(records: Any) -> None:
    """Check that the viewer was told that the credential has ended, in order and at once."""
    assert_dense(records)
    assert types(records)[-2:] == ["error", "end"]
    problem = last(records, "error")["problem"]
    assert (problem["status"], problem["type"]) == (401, "urn:gatehouse:problem:credential-expired")
    assert last(records, "end")["status"] == "failed"


class TestExpiry:
    async def test_ends_the_run_at_that_moment(self, here: Replica, told: Told) -> None:
        brief = replace(ALICE, expires_at=time.time() + 0.5)
        run = (await here.start("/told", principal=brief)).run
        viewer = Viewer(here.engine, run.id)
        told.tell(run.id, "a")
        records = await viewer.end()
        assert_told(records)
        assert time.time() >= (brief.expires_at or 0)
        assert (await here.engine.get(ALICE, run.id)).text == "a"
        assert told.closed == [(run.id, 1)]

    async def test_before_the_start_never_calls_the_runnable(self, here: Replica, told: Told) -> None:
        run = (await here.start("/told", principal=replace(ALICE, expires_at=time.time() - 1))).run
        assert_told(await seen(here.engine, run.id))
        assert told.inputs == []

    async def test_reaches_whoever_reads_the_runnables_own_stream(self, here: Replica) -> None:
        tap = Tap("stream")
        await here.start("/told", principal=replace(ALICE, expires_at=time.time() + 0.2), tap=tap)
        with pytest.raises(CredentialExpired):
            async for _ in tap.chunks():
                pass

    async def test_later_than_the_end_changes_nothing(self, here: Replica, told: Told) -> None:
        run = (await here.start("/told", principal=replace(ALICE, expires_at=time.time() + 60))).run
        told.tell(run.id, "a")
        told.end(run.id)
        assert types(await seen(here.engine, run.id))[-2:] == ["complete", "end"]


class TestRevocation:
    async def test_ends_the_runs_of_that_credential_only(
        self, here: Replica, told: Told, ledger: Ledger
    ) -> None:
        ended = [(await here.start("/told")).run for _ in range(2)]
        other = (await here.start("/told", principal=BOB)).run
        viewers = [Viewer(here.engine, run.id) for run in ended]
        ledger.ended.add(ALICE.credential_id)
        await end_runs_of_ended_credentials(here.engine, ledger.credential_valid)
        for viewer in viewers:
            assert_told(await viewer.end())
        told.tell(other.id, "a")
        told.end(other.id)
        assert types(await seen(here.engine, other.id))[-2:] == ["complete", "end"]
        assert sorted(ledger.asked) == [BOB.credential_id, ALICE.credential_id]  # each of them once

    async def test_is_seen_by_a_viewer_on_another_replica(
        self, here: Replica, there: Replica, ledger: Ledger
    ) -> None:
        run = (await here.start("/told")).run
        viewer = Viewer(there.engine, run.id)
        ledger.ended.add(ALICE.credential_id)
        await end_runs_of_ended_credentials(there.engine, ledger.credential_valid)  # it has none of its own
        await end_runs_of_ended_credentials(here.engine, ledger.credential_valid)
        assert_told(await viewer.end())

    async def test_that_cannot_be_asked_about_lets_runs_go_on(
        self, here: Replica, told: Told, ledger: Ledger, logs: list[EventDict]
    ) -> None:
        run = (await here.start("/told")).run
        ledger.failure = OSError("postgres://user:secret@host")
        await end_runs_of_ended_credentials(here.engine, ledger.credential_valid)
        told.end(run.id)
        assert types(await seen(here.engine, run.id))[-1] == "end"
        assert "secret" not in str(logs)
        assert [entry["error"] for entry in logs if "credential" in entry["event"]] == ["OSError"]

    async def test_is_looked_for_while_the_server_runs(
        self, here: Replica, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert credentials.CHECK_EVERY + 5 < 30
        monkeypatch.setattr(credentials, "CHECK_EVERY", 0.01)
        run = (await here.start("/told")).run
        viewer = Viewer(here.engine, run.id)
        async with credentials_watched(here.engine, ledger.credential_valid):
            await until(lambda: len(ledger.asked) > 2)
            ledger.ended.add(ALICE.credential_id)
            assert_told(await viewer.end())


class TestTakeover:
    async def test_after_the_credential_expired_executes_nothing(
        self, here: Replica, there: Replica, told: Told
    ) -> None:
        run = (await here.start("/told", principal=replace(ALICE, expires_at=time.time() + 0.4))).run
        await until(lambda: len(told.inputs) == 1)
        await here.crash()
        await asyncio.sleep(0.4)
        assert_told(await Viewer(there.engine, run.id).end())
        assert len(told.inputs) == 1


class Bank:
    """A tool that sends money, and what it sent."""

    def __init__(self, redis: Redis, ledger: Ledger) -> None:
        self.sent: list[int] = []
        self.asked = asyncio.Event()
        self.go_on = asyncio.Event()
        self.record: list[tuple[str, str, bool]] = []
        self.record_fails: Exception | None = None
        self.guard = BeforeActing(redis, ledger.credential_valid, self.recorded)

    async def conduct(self, act: Act) -> Any:
        await self.guard(act.tool, act.config)
        return await act.work()

    async def recorded(self, run: RunRecord, tool: str, acts: bool) -> None:
        if self.record_fails:
            raise self.record_fails
        assert self.sent == []  # it is on record before it is done
        self.record.append((run.principal.user_id, tool, acts))

    def tools(self) -> list[Any]:
        @tool
        async def look_up(what: str) -> str:
            """Look something up."""
            self.asked.set()
            await self.go_on.wait()
            return what

        @tool
        async def transfer(amount: int) -> str:
            """Send money."""
            self.sent.append(amount)
            return "sent"

        acting: StructuredTool = acts(transfer)
        return [look_up, guarded(acting, self.conduct)]


@pytest.fixture
def bank(redis: Redis, ledger: Ledger, replicas: Replicas) -> Bank:
    bank = Bank(redis, ledger)
    parts = Parts(ScriptedChatModel(), bank.tools(), replicas.checkpoints)
    replicas.runnables = {**replicas.runnables, "/agent": StreamingAgent(agent_graph(parts))}
    return bank


class AwayAtFirst:
    """A question to a store that does not answer the first ones."""

    def __init__(self, answered: Callable[..., Awaitable[Any]]) -> None:
        self.answered = answered
        self.failures = 2

    async def __call__(self, *asked: Any) -> Any:
        if self.failures:
            self.failures -= 1
            raise RedisTimeout("no answer")
        return await self.answered(*asked)


@dataclass
class LeaseAwayAtFirst:
    """Redis, of which `exists` is another."""

    redis: Redis
    exists: AwayAtFirst

    def __getattr__(self, name: str) -> Any:
        return getattr(self.redis, name)


ASK = '[tool look_up {"what": "x"}] [tool transfer {"amount": 5}] [say Done.]'


class TestToolsThatAct:
    async def test_act_while_the_credential_holds(self, bank: Bank, here: Replica) -> None:
        bank.go_on.set()
        run = (await here.start("/agent", {"input": ASK})).run
        assert types(await seen(here.engine, run.id))[-2:] == ["complete", "end"]
        assert bank.sent == [5]
        assert bank.record == [("alice", "transfer", True)]

    async def test_do_nothing_that_cannot_be_put_on_record(self, bank: Bank, here: Replica) -> None:
        bank.go_on.set()
        bank.record_fails = OSError("the database is away")
        run = (await here.start("/agent", {"input": ASK})).run
        await seen(here.engine, run.id)
        assert bank.sent == []

    async def test_do_nothing_after_it_was_revoked_and_end_the_run(
        self, bank: Bank, here: Replica, ledger: Ledger
    ) -> None:
        run = (await here.start("/agent", {"input": ASK})).run
        viewer = Viewer(here.engine, run.id)
        await bank.asked.wait()
        ledger.ended.add(ALICE.credential_id)
        bank.go_on.set()
        assert_told(await viewer.end())
        assert bank.sent == []
        assert (ALICE.user_id, "transfer", True) not in bank.record

    async def test_do_nothing_when_it_cannot_be_told(
        self, bank: Bank, here: Replica, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(acting, "AWAY_SECONDS", 0.2)
        bank.go_on.set()
        ledger.failure = OSError("the database is away")
        run = (await here.start("/agent", {"input": ASK})).run
        await seen(here.engine, run.id)
        assert bank.sent == []

    async def test_act_when_redis_and_the_database_are_back(
        self, bank: Bank, here: Replica, ledger: Ledger, redis: Redis
    ) -> None:
        bank.go_on.set()
        asked, known = AwayAtFirst(redis.exists), AwayAtFirst(ledger.credential_valid)
        bank.guard = BeforeActing(cast("Redis", LeaseAwayAtFirst(redis, asked)), known, bank.recorded)
        run = (await here.start("/agent", {"input": ASK})).run
        assert types(await seen(here.engine, run.id))[-2:] == ["complete", "end"]
        assert bank.sent == [5]
        assert (asked.failures, known.failures) == (0, 0)

    @pytest.mark.parametrize("configurable", [{}, {"run_id": None}, {"run_id": "unknown"}])
    async def test_do_nothing_outside_of_a_run(self, bank: Bank, configurable: dict[str, Any]) -> None:
        with pytest.raises(RunMayNotAct):
            await bank.guard("transfer", {"configurable": configurable})

    async def test_do_nothing_in_a_run_that_was_cancelled_or_has_ended(
        self, bank: Bank, here: Replica, told: Told, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(acting, "LEASE_SECONDS", 3600)  # nor wait for a lease that never comes
        run = (await here.start("/told")).run
        config: Any = {"configurable": {"run_id": run.id, "attempt": 1}}
        await bank.guard("transfer", config)
        await here.engine.control.mark_cancelled(run.id, "cancelled")
        with pytest.raises(RunMayNotAct):
            await bank.guard("transfer", config)
        assert bank.record == [("alice", "transfer", True), ("alice", "transfer", False)]
        ended = (await here.start("/told")).run
        told.end(ended.id)
        await seen(here.engine, ended.id)
        with pytest.raises(RunMayNotAct):
            async with asyncio.timeout(30):
                await bank.guard("transfer", {"configurable": {"run_id": ended.id, "attempt": 1}})

    async def test_do_nothing_in_an_attempt_that_another_process_has_followed(
        self, bank: Bank, here: Replica, there: Replica, redis: Redis
    ) -> None:
        run = (await here.start("/told")).run
        await here.pause()
        await redis.delete(lease_key(run.id))
        assert await there.engine.attempts.take(run.id) == 2
        with pytest.raises(RunMayNotAct):
            await bank.guard("transfer", {"configurable": {"run_id": run.id, "attempt": 1}})
        await bank.guard("transfer", {"configurable": {"run_id": run.id, "attempt": 2}})

    async def test_wait_for_a_lease_that_has_run_out(
        self, bank: Bank, here: Replica, redis: Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Redis was away: its owner renews the lease, or another has the run."""
        run = (await here.start("/told")).run
        config: Any = {"configurable": {"run_id": run.id, "attempt": 1}}
        await here.pause()
        await redis.delete(lease_key(run.id))
        asking = asyncio.create_task(bank.guard("transfer", config))
        await asyncio.sleep(0.3)
        assert not asking.done()
        here.wake()
        await asking
        await here.pause()
        await redis.delete(lease_key(run.id))
        monkeypatch.setattr("gatehouse.runs.acting.LEASE_SECONDS", 0.2)
        with pytest.raises(RunMayNotAct):
            await bank.guard("transfer", config)
