"""Several engines over one store, as several processes would have them; and how they come to grief."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.runnables import Runnable
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from waiting import until

from gatehouse.approvals.service import Approvals
from gatehouse.approvals.sweeping import continuing
from gatehouse.approvals.waits import ApprovalWaits
from gatehouse.identity.principal import Principal
from gatehouse.runs.conversation.files import Block
from gatehouse.runs.conversation.places import StatePlace
from gatehouse.runs.engine import RunEngine
from gatehouse.runs.events import Event
from gatehouse.runs.lifecycle.attempts import lease_key
from gatehouse.runs.lifecycle.starting import Started
from gatehouse.runs.log.log import LogWriter
from gatehouse.runs.log.writers import LogWriters
from gatehouse.runs.records import RunRecord
from gatehouse.runs.tending import Tending, open_runs
from gatehouse.settings.engine import EngineSettings

__all__ = ["until"]  # of those who use the replicas

ALICE = Principal("acme", "alice", "Alice", frozenset({"*"}), "jwt", "token-1", claims={"portfolio_id": "p1"})
BOB = Principal("beta", "bob", "Bob", frozenset({"runnable:chat", "threads:write"}), "api_key", "key-1")

LEASE = 0.6  # seconds, where a test waits for it to run out
SETTINGS = EngineSettings(lease=LEASE, keep=60, deadline=30)


class Conversations:
    """The history of a test: what was asked to begin, begun and kept, and what begins are refused with."""

    def __init__(self) -> None:
        self.messages: list[BaseMessage] = []
        self.beginning: list[RunRecord] = []
        self.begun: list[RunRecord] = []
        self.kept: list[tuple[RunRecord, list[Event]]] = []
        self.undone: list[RunRecord] = []
        self.refusal: Exception | None = None
        self.failure: Exception | None = None
        self.slowness = 0.0

    async def begin(self, run: RunRecord) -> None:
        self.beginning.append(run)
        await asyncio.sleep(self.slowness)
        if self.refusal is not None:
            raise self.refusal
        self.begun.append(run)

    async def undo(self, run: RunRecord) -> None:
        if self.failure is not None:
            raise self.failure
        self.undone.append(run)

    async def before(self, run: RunRecord) -> list[BaseMessage]:
        return self.messages

    async def files(self, run: RunRecord) -> list[Block]:
        return []

    async def place(self, run: RunRecord) -> StatePlace:
        return StatePlace(run.id)

    async def keep(self, run: RunRecord, steps: list[Event]) -> None:
        if self.failure is not None:
            raise self.failure
        self.kept.append((run, steps))


@dataclass
class Replica:
    """One process: its engine, and the tasks that would die with it."""

    engine: RunEngine
    redis: Redis
    tasks: set[asyncio.Task[Any]]
    stack: AsyncExitStack
    approvals: Approvals | None = None

    async def start(self, runnable: str, value: dict[str, Any] | None = None, **options: Any) -> Started:
        principal = options.pop("principal", ALICE)
        return await self.engine.start(principal, runnable, value or {}, **options)

    @property
    def writers(self) -> Iterable[LogWriter]:
        """What appends its runs' records: on a cluster there are several."""
        writer = self.engine.conductor.writer
        return writer._writers.values() if isinstance(writer, LogWriters) else (writer,)

    async def flushed(self) -> None:
        """Return when every record of its runs so far is in Redis."""
        for writer in self.writers:
            await writer.flushed()

    async def crash(self) -> None:
        """Be gone without a word, as after SIGKILL: nothing is written, released or handed over."""
        for writer in self.writers:
            writer._pending.clear()
        await stopped(self.tasks)
        await stopped(self.engine.conductor.tasks)

    async def pause(self) -> None:
        """Do nothing for the runs any more, as after SIGSTOP, though what is in memory stays."""
        await stopped({task for task in self.tasks if task.get_name() in ("run leases", "run sweep")})

    async def stop_sweeping(self) -> None:
        """Look after no orphan any more, so that whoever joins one is the first to see it."""
        await stopped({task for task in self.tasks if task.get_name() == "run sweep"})

    def wake(self) -> None:
        """Go on after a pause."""
        tending = Tending(self.engine)
        for name, work in (("run leases", tending.beat()), ("run sweep", tending.sweep())):
            self.tasks.add(asyncio.create_task(work, name=name))

    async def close(self) -> None:
        """Go as a process does that was told to."""
        await self.stack.aclose()
        await stopped(self.tasks)


@dataclass
class Replicas:
    """Opens replicas over one store."""

    connect: Callable[[], Redis]
    runnables: Mapping[str, Runnable[Any, Any]]
    settings: EngineSettings = SETTINGS
    history: Conversations = field(default_factory=Conversations)
    checkpoints: BaseCheckpointSaver[Any] = field(default_factory=InMemorySaver)
    opened: list[Replica] = field(default_factory=list)
    revoked: set[str] = field(default_factory=set)
    asking: Callable[[], Approvals] | None = None  # makes what a process keeps approvals in

    async def open(self, **changes: Any) -> Replica:
        """Open a replica; `changes` are settings that differ from the usual ones."""
        settings = replace(self.settings, **changes)
        before = asyncio.all_tasks()
        stack = AsyncExitStack()
        redis = self.connect()
        stack.push_async_callback(redis.aclose)
        approvals = self.asking() if self.asking else None
        waits = ApprovalWaits(approvals, lambda _tool, _outcome: None) if approvals else None
        runs = open_runs(redis, self.runnables, self.history, self.checkpoints, settings, waits=waits)
        engine = await stack.enter_async_context(runs)
        if approvals:
            await stack.enter_async_context(continuing(approvals, engine, self.not_revoked))
        replica = Replica(engine, redis, asyncio.all_tasks() - before, stack, approvals)
        self.opened.append(replica)
        return replica

    async def not_revoked(self, principal: Principal) -> bool:
        return principal.credential_id not in self.revoked

    async def close(self) -> None:
        await stopped({task for task in asyncio.all_tasks() if task.get_name() == "viewer"})
        for replica in self.opened:
            await replica.close()
            await replica.redis.aclose()  # again: a viewer that came later has opened connections anew


def client_of(url: str) -> Redis:
    """Return a client as a server needs it: its callers wait for a connection, and a broken one is no error.

    redis-py's own `from_url` repeats nothing, and raises when a hundred connections are in use.
    """
    retry = Retry(ExponentialWithJitterBackoff(base=0.01, cap=0.5), 6)
    return Redis.from_pool(BlockingConnectionPool.from_url(url, max_connections=50, retry=retry))


async def lapse(run_id: str, *replicas: Replica) -> None:
    """Have the run's lease run out, as if its process had been silent for so long."""
    for replica in replicas:
        await replica.redis.delete(lease_key(run_id))
        if execution := replica.engine.local.get(run_id):
            execution.held_until = 0.0


async def stopped(tasks: set[asyncio.Task[Any]]) -> None:
    """Cancel tasks and return when they are done."""
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)
