"""Real processes, killed and paused by real signals, over a real Redis."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from langchain_core.utils.uuid import uuid7
from redis.asyncio import Redis
from run_replicas import ALICE, Replicas, until
from run_runnables import Words
from run_viewers import Viewer, assembled, assert_dense, last, types

from gatehouse.runs.events import Cursor
from gatehouse.runs.log.log import RunLog

HERE = Path(__file__).parent
COUNT = 150
WORDS = "".join(f"w{i} " for i in range(COUNT))


class Process:
    """A replica in another process, and the events that its viewer prints."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            if line.startswith(b"event "):
                self.lines.append(line.decode().strip())

    async def shown(self, count: int) -> None:
        await until(lambda: len(self.lines) >= count, 30)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    @property
    def events(self) -> list[tuple[Cursor, str]]:
        found = []
        for line in self.lines:
            _, cursor, kind = line.split()
            attempt, sequence = cursor.split("-")
            found.append((Cursor(int(attempt), int(sequence)), kind))
        return found


@asynccontextmanager
async def running(url: str, run_id: str, *how: str) -> AsyncIterator[Process]:
    path = os.pathsep.join(str(HERE.parents[number]) for number in (2, 1)) + os.pathsep + str(HERE)
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(HERE / "replica_process.py"), url, run_id, str(COUNT), *how,
        env={**os.environ, "PYTHONPATH": path}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    replica = Process(process)
    try:
        yield replica
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await replica.reading


@pytest.fixture
async def survivor(connect: Callable[[], Redis]) -> AsyncIterator[Replicas]:
    """This process: replicas over the same Redis."""
    replicas = Replicas(connect, {"/words": Words()})
    yield replicas
    await replicas.close()


async def test_a_killed_process_costs_a_restart_and_nothing_else(
    survivor: Replicas, empty_redis: str
) -> None:
    here = await survivor.open()
    run_id = str(uuid7())
    async with running(empty_redis, run_id) as other:
        await other.shown(20)
        viewer = Viewer(here.engine, run_id)
        await viewer.tokens(10)
        other.signal(signal.SIGKILL)
        records = await viewer.end()
    assert_dense(records)
    assert types(records).count("restart") == 1
    assert types(records)[-2:] == ["complete", "end"]
    assert assembled(records) == last(records, "complete")["content"] == WORDS
    found = await here.engine.get(ALICE, run_id)
    assert (found.attempt, found.state) == (2, "completed")


async def test_a_killed_process_leaves_a_question_that_waited_for_its_answer(
    survivor: Replicas, empty_redis: str
) -> None:
    here = await survivor.open()
    run_id = str(uuid7())
    async with running(empty_redis, run_id, "late") as other:
        await other.shown(20)
        other.signal(signal.SIGKILL)
        await Viewer(here.engine, run_id).end()
    assert [(begun.id, begun.attempt) for begun in survivor.history.begun] == [(run_id, 2)]
    assert [(kept.text, kept.asks_late) for kept, _ in survivor.history.kept] == [(WORDS, False)]


async def test_a_paused_process_that_wakes_up_adds_nothing_and_shows_nothing(
    survivor: Replicas, empty_redis: str
) -> None:
    here = await survivor.open()
    run_id = str(uuid7())
    async with running(empty_redis, run_id) as other:
        await other.shown(20)
        other.signal(signal.SIGSTOP)
        viewer = Viewer(here.engine, run_id)
        await viewer.until(lambda viewer: "restart" in viewer.types)
        await asyncio.sleep(0.1)
        shown = list(other.events)
        attempt_1 = [record for record in viewer.records if record.cursor.attempt == 1]
        other.signal(signal.SIGCONT)
        records = await viewer.end()
        await asyncio.wait_for(other.process.wait(), 20)
        await other.reading
    assert_dense(records)
    assert assembled(records) == WORDS
    # in the log nothing of the first attempt came after the pause
    stored = await RunLog(here.redis).after(run_id, Cursor(0, 0), entries=10_000)
    assert stored == records
    assert [record for record in stored if record.cursor.attempt == 1] == attempt_1
    # and its own viewer went over to the second attempt, after what it was being handed when it was paused
    after = other.events[len(shown) :]
    assert other.events[: len(shown)] == shown
    in_hand = [event for event in after if event[0].attempt == 1]
    assert len(in_hand) <= 1
    after = after[len(in_hand) :]
    assert after[0] == (Cursor(2, 1), "restart")
    assert [cursor for cursor, _ in after] == [Cursor(2, number) for number in range(1, COUNT + 4)]
    assert other.process.returncode == 0
