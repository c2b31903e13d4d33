"""A viewer of a run whose next record is not in the log yet, over a store that answers without waiting."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from run_replicas import Replica, Replicas, until
from run_runnables import Told
from run_viewers import Viewer, assembled, assert_dense, last, seen, types

from gatehouse.problems.draining import Restarting
from gatehouse.runs.events import Cursor, Record, Token, record
from gatehouse.runs.log.feed import Feed
from gatehouse.runs.log.log import log_key
from gatehouse.runs.viewing import Viewing


class Log:
    """A run's log in this process: no call of it lets others have the event loop."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    async def after(self, _run_id: str, cursor: Cursor) -> list[Record]:
        return [record for record in self.records if record.cursor > cursor]


@pytest.mark.timeout(20)
async def test_lets_others_have_the_event_loop_until_it_is_there() -> None:
    """As with a client in which nothing waits: the run itself could not go on."""

    async def flushed() -> None:
        pass

    log = Log()
    execution = SimpleNamespace(
        feed=Feed(10, Cursor(2, 0)), viewers=0, alone_since=0.0, run=SimpleNamespace(grace=30)
    )
    writers = SimpleNamespace(of=lambda _run_id: SimpleNamespace(flushed=flushed))
    conductor: Any = SimpleNamespace(local={"run-1": execution}, writer=writers)
    viewing = Viewing(None, conductor, None)  # type: ignore[arg-type]  # neither is asked
    viewing.log = log  # type: ignore[assignment]
    view = viewing.view("run-1", Cursor(1, 7))

    async def first() -> list[Record]:
        return await anext(view)

    viewer = asyncio.create_task(first())
    await asyncio.sleep(0.05)  # never returns, if the viewer leaves the loop to nobody
    assert not viewer.done()
    restarted = record(Cursor(2, 1), Token(content="anew"))
    log.records.append(restarted)
    assert [one.cursor for one in await viewer] == [Cursor(2, 1)]
    await view.aclose()  # type: ignore[attr-defined]


class TestHole:
    """A Redis that failed over has lost what its primary had not passed on yet."""

    async def test_in_the_middle_of_the_log_is_a_gap(self, replicas: Replicas, told: Told) -> None:
        here, there = await replicas.open(lease=3), await replicas.open(lease=3)
        run_id = (await here.start("/told")).run.id
        for word in "abcd":
            told.tell(run_id, word)
            await until(lambda word=word: word in here.engine.local[run_id].text)  # type: ignore[misc]
            await here.flushed()
        lost = await here.redis.xrange(log_key(run_id), min="1-3", max="1-4")
        await here.redis.xdel(log_key(run_id), *[entry for entry, _ in lost or () if entry is not None])
        viewer = await Viewer(there.engine, run_id).until(lambda viewer: len(viewer.records) >= 3)
        assert types(viewer.records) == ["start", "token", "gap"]
        assert assembled(viewer.records) == "abcd"  # the words that were lost, and those after them
        told.end(run_id)
        records = await viewer.end()
        assert types(records) == ["start", "token", "gap", "complete", "end"]
        assert_dense(records)
        assert assembled(records) == "abcd"
        late = await seen(there.engine, run_id)
        assert types(late) == ["start", "token", "gap", "complete", "end"]
        assert assembled(late) == "abcd"

    def test_in_what_a_mirror_reads_at_once_is_one(self) -> None:
        feed = Feed(10)
        feed.extend([record(Cursor(1, at), Token("x")) for at in (1, 2, 5, 6)])
        assert feed.base == Cursor(1, 4)
        assert [item.cursor.sequence for item in feed.after(feed.base)] == [5, 6]


class TestCursorOfNoRecord:
    async def test_is_told_the_end(self, here: Replica, there: Replica, told: Told) -> None:
        run_id = (await here.start("/told")).run.id
        viewers = [Viewer(replica.engine, run_id, Cursor(1, 999)) for replica in (here, there)]
        told.tell(run_id, "a")
        await asyncio.sleep(0.1)
        told.end(run_id)
        for viewer in viewers:
            assert types(await viewer.end()) == ["end"]

    async def test_is_told_the_end_that_comes_as_it_is_joined(
        self, here: Replica, there: Replica, told: Told, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run_id = (await here.start("/told")).run.id
        following = there.engine.reader.following

        @asynccontextmanager
        async def late(run_id: str) -> AsyncIterator[Feed]:
            told.end(run_id)
            await until(lambda: run_id not in here.engine.local)
            async with following(run_id) as feed:
                yield feed

        monkeypatch.setattr(there.engine.reader, "following", late)
        assert types(await Viewer(there.engine, run_id, Cursor(1, 99)).end()) == ["end"]


async def test_ends_for_who_joins_just_as_its_process_closes(
    here: Replica, there: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mirrors that there are were closed, and theirs is made after that."""
    run_id = (await here.start("/told")).run.id
    following = there.engine.reader.following

    @asynccontextmanager
    async def late(run_id: str) -> AsyncIterator[Feed]:
        there.engine.viewing.close()
        async with following(run_id) as feed:
            yield feed

    monkeypatch.setattr(there.engine.reader, "following", late)
    viewer = Viewer(there.engine, run_id)
    with pytest.raises(Restarting):
        await asyncio.wait_for(viewer.end(), 10)


async def test_half_a_character_leaves_no_hole(here: Replica, told: Told) -> None:
    run_id = (await here.start("/told")).run.id
    told.tell(run_id, "a", "\ud83d")
    told.end(run_id)
    records = await seen(here.engine, run_id)
    assert_dense(records)
    assert last(records, "complete")["content"] == "a\ufffd"
