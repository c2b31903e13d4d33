"""What reaches the thread that has a connection to SQLite."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.storage.database import open_engine
from gatehouse.storage.sqlite import SqliteConnection

numbers = Table("numbers", MetaData(), Column("number", Integer, primary_key=True))


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(f"sqlite+aiosqlite:///{tmp_path / 'gatehouse.db'}")
    async with engine.begin() as connection:
        await connection.exec_driver_sql("CREATE TABLE numbers (number INTEGER PRIMARY KEY)")
    yield engine
    await engine.dispose()


@pytest.fixture
def errands(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of what the thread is asked to do from here on."""
    names: list[str] = []
    execute: Any = aiosqlite.Connection._execute

    async def noted(self: aiosqlite.Connection, work: Any, *args: Any, **options: Any) -> Any:
        names.append(work.__name__)
        return await execute(self, work, *args, **options)

    monkeypatch.setattr(aiosqlite.Connection, "_execute", noted)
    return names


class TestErrands:
    async def test_a_statement_is_one_and_the_commit_another(
        self, engine: AsyncEngine, errands: list[str]
    ) -> None:
        async with engine.begin() as connection:
            await connection.execute(insert(numbers), [{"number": 1}, {"number": 2}])
            await connection.execute(insert(numbers), {"number": 3})
            assert (await connection.scalars(select(numbers.c.number))).all() == [1, 2, 3]
        assert errands == ["executed_many", "executed", "executed", "commit"]

    async def test_what_only_reads_ends_no_transaction(self, engine: AsyncEngine, errands: list[str]) -> None:
        async with engine.begin() as connection:
            assert (await connection.execute(select(numbers))).all() == []
        assert errands == ["executed"]

    async def test_a_transaction_that_fails_is_rolled_back(
        self, engine: AsyncEngine, errands: list[str]
    ) -> None:
        with pytest.raises(IntegrityError):
            async with engine.begin() as connection:
                await connection.execute(insert(numbers), {"number": 1})
                await connection.execute(insert(numbers), {"number": 1})
        assert "rollback" in errands
        async with engine.connect() as connection:
            assert (await connection.execute(select(numbers))).all() == []

    async def test_tells_how_many_rows_a_statement_changed(self, engine: AsyncEngine) -> None:
        async with engine.begin() as connection:
            await connection.execute(insert(numbers), [{"number": number} for number in range(5)])
            deleted = await connection.execute(numbers.delete().where(numbers.c.number < 2))
            assert deleted.rowcount == 2
            returned = await connection.execute(numbers.delete().returning(numbers.c.number))
            assert sorted(returned.scalars()) == [2, 3, 4]


def test_a_connection_that_is_closed_in_a_transaction_locks_nobody_out(tmp_path: Path) -> None:
    file = tmp_path / "closed.db"
    first = sqlite3.connect(file, factory=SqliteConnection)
    first.execute("CREATE TABLE numbers (number INTEGER)")
    cursor = first.execute("INSERT INTO numbers VALUES (1), (3) RETURNING number")
    assert next(cursor) == (1,)
    first.close()
    other = sqlite3.connect(file, timeout=0)
    other.execute("INSERT INTO numbers VALUES (2)")
    assert other.execute("SELECT number FROM numbers").fetchall() == [(2,)]
    other.close()
    del cursor  # which would have held the lock
