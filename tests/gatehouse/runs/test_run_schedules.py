"""Random schedules: whatever happens to a run and its processes, what its viewers see holds together.

A schedule is a list of steps over three replicas and one run. Viewers come, go and come back with the cursor
that they left with. When the schedule is over everything is allowed to finish, and every viewer has to have
seen each event once and in order, or a `gap` or `restart` that says otherwise; and to have the final answer.
"""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st
from live_redis import empty_redis
from redis.asyncio import Redis
from run_replicas import SETTINGS, Conversations, Replica, Replicas, client_of, stopped, until
from run_runnables import Told
from run_viewers import Viewer, assembled, assert_dense, data, last

from gatehouse.runs.events import BEGINNING, Cursor, Record
from gatehouse.runs.lifecycle.attempts import lease_key
from gatehouse.runs.tending import Tending

EXAMPLES = int(os.environ.get("SCHEDULES", "30"))  # a longer hunt: SCHEDULES=1000
REPLICAS = 3
LEASE = 0.2
SMALL = replace(SETTINGS, lease=LEASE, log_length=8, feed_size=4, max_attempts=99)

replica = st.integers(0, REPLICAS - 1)
client = st.integers(0, 4)
step = st.one_of(
    st.tuples(st.just("produce"), st.integers(1, 6)),
    st.tuples(st.just("produce"), st.integers(1, 40)),
    st.tuples(st.just("join"), client, replica),
    st.tuples(st.just("leave"), client),
    st.tuples(st.just("kill"), replica),
    st.tuples(st.just("pause"), replica),
    st.tuples(st.just("wake"), replica),
    st.tuples(st.just("stop writing"), replica),
    st.tuples(st.just("go on writing"), replica),
    st.tuples(st.just("stop reading"), replica),
    st.tuples(st.just("go on reading"), replica),
    st.tuples(st.just("hand over"), replica),
    st.tuples(st.just("lapse")),
    st.tuples(st.just("trim"), st.integers(0, 3)),
    st.tuples(st.just("wait"), st.sampled_from([0.0, 0.001, 0.02, 0.1])),
)
ending = st.sampled_from(["completed", "failed", "cancelled"])


@dataclass
class Client:
    """Somebody who views the run, leaves, and comes back with the last event id."""

    viewer: Viewer | None = None
    seen: list[Record] = field(default_factory=list)

    @property
    def cursor(self) -> Cursor:
        return self.seen[-1].cursor if self.seen else BEGINNING

    def join(self, engine_of: Replica, run_id: str) -> None:
        if self.viewer is None:
            self.viewer = Viewer(engine_of.engine, run_id, self.cursor)

    async def leave(self) -> None:
        if self.viewer is not None:
            viewer, self.viewer = self.viewer, None
            await viewer.leave()
            self.seen += viewer.records

    async def see_the_end(self, engine_of: Replica, run_id: str) -> None:
        await self.leave()
        if not self.seen or self.seen[-1].type != "end":
            self.seen += await Viewer(engine_of.engine, run_id, self.cursor).end()


class Play:
    """One run over three replicas, and what a schedule does to them."""

    def __init__(self, connect: Callable[[], Redis]) -> None:
        self.told = Told()
        self.replicas = Replicas(connect, {"/told": self.told}, SMALL, Conversations())
        self.live: list[Replica] = []
        self.clients = [Client() for _ in range(5)]
        self.run_id = ""
        self.words = 0

    async def begin(self) -> None:
        self.live = [await self.replicas.open() for _ in range(REPLICAS)]
        self.run_id = (await self.live[0].start("/told", grace=600)).run.id

    async def do(self, name: str, *values: int | float) -> None:
        await getattr(self, name.replace(" ", "_"))(*values)

    async def produce(self, count: int) -> None:
        """Give words to every attempt there may be: which of them has the run, nobody is to care."""
        for _ in range(count):
            self.words += 1
            for attempt in range(1, 40):
                self.told.tell(self.run_id, f"a{attempt}w{self.words} ", attempt=attempt)
        await asyncio.sleep(0)

    async def join(self, number: int, at: int) -> None:
        self.clients[number].join(self.live[at], self.run_id)

    async def leave(self, number: int) -> None:
        await self.clients[number].leave()

    async def kill(self, at: int) -> None:
        await self._replace(at, self.live[at].crash())

    async def hand_over(self, at: int) -> None:
        await self._replace(at, self.live[at].close())

    async def _replace(self, at: int, going: object) -> None:
        """The viewers at a process that goes lose their connection; another process comes in its place."""
        for somebody in self.clients:
            if somebody.viewer is not None and somebody.viewer.engine is self.live[at].engine:
                await somebody.leave()
        await going  # type: ignore[misc]
        self.live[at] = await self.replicas.open()

    async def pause(self, at: int) -> None:
        await self.live[at].pause()

    async def wake(self, at: int) -> None:
        if not self._works(at, "run leases"):
            self.live[at].wake()

    async def stop_writing(self, at: int) -> None:
        await stopped(self._tasks(at, "run log writer"))

    async def go_on_writing(self, at: int) -> None:
        if not self._works(at, "run log writer"):
            self._start(at, "run log writer", self.live[at].engine.conductor.writer.run())

    async def stop_reading(self, at: int) -> None:
        await stopped(self._tasks(at, "run log reader"))

    async def go_on_reading(self, at: int) -> None:
        if not self._works(at, "run log reader"):
            self._start(at, "run log reader", self.live[at].engine.reader.run())

    async def lapse(self) -> None:
        """Have the lease run out at once, as after a pause that was longer than it."""
        await self.live[0].redis.delete(lease_key(self.run_id))
        for one in self.live:
            if self.run_id in one.engine.local:
                one.engine.local[self.run_id].held_until = 0.0

    async def trim(self, kept: int) -> None:
        """Have the log cut down to a few events at once, where its writer can tell that they are in it."""
        for at, one in enumerate(self.live):
            execution = one.engine.local.get(self.run_id)
            if execution is None or not self._works(at, "run log writer"):
                continue
            if (cut := execution.top.sequence - kept) > 0:
                await Tending(one.engine)._save(execution, Cursor(execution.run.attempt, cut))

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def _tasks(self, at: int, name: str) -> set[asyncio.Task[object]]:
        return {task for task in self.live[at].tasks if task.get_name() == name}

    def _works(self, at: int, name: str) -> bool:
        return any(not task.done() for task in self._tasks(at, name))

    def _start(self, at: int, name: str, work: object) -> None:
        self.live[at].tasks.add(asyncio.create_task(work, name=name))  # type: ignore[arg-type]

    async def finish(self, how: str) -> None:
        """Let everybody work again, and the run come to its end."""
        for at in range(REPLICAS):
            await self.wake(at)
            await self.go_on_writing(at)
            await self.go_on_reading(at)
        if how == "cancelled":
            await self.live[1].engine.cancel(self.run_id)
        for attempt in range(1, 60):
            if how == "failed":
                self.told.tell(self.run_id, ValueError("no"), attempt=attempt)
            self.told.end(self.run_id, attempt)
        for number, somebody in enumerate(self.clients):
            await somebody.see_the_end(self.live[number % REPLICAS], self.run_id)

    async def judge(self, how: str) -> None:
        whole = await Viewer(self.live[2].engine, self.run_id).end()
        ended = last(whole, "end")
        for somebody in self.clients:
            assert_dense(somebody.seen)
            assert [record.type for record in somebody.seen].count("end") == 1
            assert somebody.seen[-1] == whole[-1]
        if how == ended["status"] == "completed":
            answer = last(whole, "complete")["content"]
            for somebody in self.clients:
                assert assembled(somebody.seen) == answer == assembled(whole)
            attempt = whole[-1].cursor.attempt
            assert answer == "".join(f"a{attempt}w{word} " for word in range(1, self.words + 1))
        self._agree(whole)

    def _agree(self, whole: list[Record]) -> None:
        """The same id is the same event, whoever saw it, and from whichever replica."""
        known: dict[Cursor, bytes] = {}
        for record in (record for somebody in self.clients for record in somebody.seen):
            if record.type in ("gap", "restart"):
                event(record.type)  # for --hypothesis-show-statistics
            if record.type != "gap":
                assert known.setdefault(record.cursor, record.data) == record.data, data(record)
        for record in whole:
            if record.type != "gap":
                assert known.get(record.cursor, record.data) == record.data


async def play(steps: list[tuple[str, int]], how: str, connect: Callable[[], Redis]) -> None:
    scene = Play(connect)
    await scene.begin()
    try:
        async with asyncio.timeout(60):
            for name, *values in steps:
                await scene.do(name, *values)
            await scene.finish(how)
            await scene.judge(how)
            await until(lambda: not any(one.engine.local for one in scene.live))
    finally:
        await scene.replicas.close()


# a viewer is cancelled while it reads the log, and the writer that it would wait for next is stopped
LEAVES_WHILE_IT_READS = [
    ("trim", 0), ("stop writing", 2), ("join", 1, 2), ("wait", 0.0), ("join", 3, 1), ("lapse",), ("leave", 1)
]  # fmt: skip


@settings(deadline=None, max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@example(LEAVES_WHILE_IT_READS, "completed")
@given(st.lists(step, max_size=40), ending)
async def test_every_viewer_sees_the_whole_run(steps: list[tuple[str, int]], how: str) -> None:
    url = empty_redis()
    await play(steps, how, lambda: client_of(url))
