"""Viewers of runs, and what a client makes of the events that it sees."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Self

import orjson

from gatehouse.runs.engine import RunEngine
from gatehouse.runs.events import BEGINNING, Cursor, Record

PATIENCE = 15.0


class Viewer:
    """Views a run in a task of its own, and keeps what it sees."""

    def __init__(self, engine: RunEngine, run_id: str, after: Cursor = BEGINNING) -> None:
        self.engine = engine
        self.after = after
        self.records: list[Record] = []
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._view(engine, run_id), name="viewer")

    async def _view(self, engine: RunEngine, run_id: str) -> None:
        async for records in engine.view(run_id, self.after):
            self.records += records
            self._changed.set()

    @property
    def cursor(self) -> Cursor:
        """Where a client would go on after this viewer."""
        return self.records[-1].cursor if self.records else self.after

    @property
    def types(self) -> list[str]:
        return [record.type for record in self.records]

    async def until(self, seen: Callable[[Self], bool]) -> Self:
        """Return when this is true of the viewer; fail when it never is."""
        async with asyncio.timeout(PATIENCE):
            while not seen(self):
                assert not self._task.done(), f"the view is over: {self.types}"
                self._changed.clear()
                change = asyncio.create_task(self._changed.wait())
                await asyncio.wait({change, self._task}, return_when=asyncio.FIRST_COMPLETED)
                change.cancel()
        return self

    async def tokens(self, count: int) -> Self:
        """Return when this many tokens were seen."""
        return await self.until(lambda viewer: viewer.types.count("token") >= count)

    async def end(self) -> list[Record]:
        """Return everything that was seen, when the view is over by itself."""
        async with asyncio.timeout(PATIENCE):
            await self._task
        return self.records

    async def leave(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def seen(engine: RunEngine, run_id: str, after: Cursor = BEGINNING) -> list[Record]:
    """Return everything that a viewer sees of the run."""
    return await Viewer(engine, run_id, after).end()


def types(records: Sequence[Record]) -> list[str]:
    return [record.type for record in records]


def data(record: Record) -> dict[str, Any]:
    parsed: dict[str, Any] = orjson.loads(record.data)
    assert parsed["type"] == record.type
    return parsed


def last(records: Sequence[Record], kind: str) -> dict[str, Any]:
    """Return the newest event of this type."""
    return data([record for record in records if record.type == kind][-1])


def assembled(records: Sequence[Record], text: str = "") -> str:
    """Return the text that a client has after these records, with `text` before them."""
    for record in records:
        if record.type == "token":
            text += data(record)["content"]
        elif record.type == "restart":
            text = ""
        elif record.type == "gap":
            text = data(record)["text"]
    return text


def assert_dense(records: Sequence[Record], after: Cursor = BEGINNING) -> None:
    """Fail unless each record follows the one before it, or is a gap that leads on."""
    for record in records:
        if record.type == "gap":
            assert record.cursor > after, f"a gap leads back from {after} to {record.cursor}"
            assert data(record)["requested"] == str(after)
        else:
            assert record.cursor.follows(after), f"{record.cursor} ({record.type}) does not follow {after}"
            if record.cursor.attempt != after.attempt:
                assert record.type == ("start" if record.cursor.attempt == 1 else "restart")
        after = record.cursor
