"""What reaches the thread of a connection whose changes go with their commit."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint

from gatehouse.runs.checkpoints.opening import open_checkpoints
from gatehouse.storage.sqlite_errands import ErrandConnection

AGAIN: RunnableConfig = {
    "configurable": {"thread_id": "run-1", "run_id": "run-1", "checkpoint_ns": "", "attempt": 2}
}


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[ErrandConnection]:
    async with ErrandConnection(str(tmp_path / "numbers.db")) as connection:
        await connection.execute("CREATE TABLE numbers (number INTEGER PRIMARY KEY)")
        yield connection


@pytest.fixture
def errands(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return what threads are asked to do from here on."""
    asked: list[Any] = []
    execute: Any = aiosqlite.Connection._execute

    async def noted(self: aiosqlite.Connection, work: Any, *args: Any, **options: Any) -> Any:
        asked.append(work)
        return await execute(self, work, *args, **options)

    monkeypatch.setattr(aiosqlite.Connection, "_execute", noted)
    return asked


async def numbers(connection: ErrandConnection) -> list[int]:
    async with connection.execute("SELECT number FROM numbers ORDER BY number") as rows:
        return [number async for (number,) in rows]


class TestErrands:
    async def test_changes_and_their_commit_are_one(
        self, connection: ErrandConnection, errands: list[Any]
    ) -> None:
        async with connection.cursor() as cursor:
            await cursor.executemany("INSERT INTO numbers VALUES (?)", [(1,), (2,)])
            await cursor.execute("DELETE FROM numbers WHERE number = ?", (1,))
            await connection.commit()
        assert len(errands) == 1
        assert await numbers(connection) == [2]
        assert len(errands) == 2

    async def test_of_changes_that_fail_none_is_made(self, connection: ErrandConnection) -> None:
        with pytest.raises(sqlite3.IntegrityError):
            async with connection.cursor() as cursor:
                await cursor.executemany("INSERT INTO numbers VALUES (?)", [(1,), (1,)])
                await connection.commit()
        assert await numbers(connection) == []

    async def test_what_is_not_committed_is_not_made_later(self, connection: ErrandConnection) -> None:
        async with connection.cursor() as cursor:
            await cursor.execute("INSERT INTO numbers VALUES (?)", (1,))
        async with connection.execute("INSERT INTO numbers VALUES (?)", (2,)):
            await connection.commit()
        assert await numbers(connection) == [2]

    async def test_rows_are_fetched_one_by_one_or_together(self, connection: ErrandConnection) -> None:
        async with connection.cursor() as cursor:
            await cursor.executemany("INSERT INTO numbers VALUES (?)", [(n,) for n in range(5)])
            await connection.commit()
            await cursor.execute("SELECT number FROM numbers ORDER BY number")
            assert await cursor.fetchone() == (0,)
            assert [*await cursor.fetchmany(2)] == [(1,), (2,)]
            assert [*await cursor.fetchall()] == [(3,), (4,)]
            assert await cursor.fetchone() is None

    async def test_a_checkpoint_is_written_and_deleted_in_one_each(
        self, tmp_path: Path, errands: list[Any]
    ) -> None:
        async with open_checkpoints(f"sqlite+aiosqlite:///{tmp_path / 'gatehouse.db'}") as saver:
            errands.clear()
            checkpoint = empty_checkpoint()
            kept = await saver.aput(AGAIN, checkpoint, {"step": 2}, {})
            await saver.aput_writes(kept, [("messages", [AIMessage("hi")]), ("branch:to:next", None)], "task")
            found = await saver.aget_tuple(AGAIN)
            assert len(errands) == 2 + 2  # what is read are a checkpoint, and the writes of its step
            assert found is not None
            assert found.checkpoint["id"] == checkpoint["id"]
            assert [channel for _, channel, _ in found.pending_writes or ()] == ["messages", "branch:to:next"]
            await saver.adelete_thread("run-1")
            assert len(errands) == 5
            assert await saver.aget_tuple(AGAIN) is None
