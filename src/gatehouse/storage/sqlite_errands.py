"""aiosqlite as LangGraph's saver uses it, with one errand to the thread that has the connection.

To aiosqlite the cursor, the statement, each fetch, the commit and the cursor's end are an errand each, which
wakes the thread and then the event loop: of a checkpoint that was more than SQLite's own work. Here what
changes something waits for its commit and goes with it; what reads has its rows with it.
"""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, Self

from aiosqlite import Connection, Cursor
from aiosqlite.context import contextmanager

CHANGES = ("INSERT", "DELETE", "UPDATE", "REPLACE")
CHUNK = 64  # rows, of which nothing depends: a statement has them all

Change = Callable[[sqlite3.Connection], Any]


class Rows(Cursor):
    """What a statement came to: its rows, or nothing yet of one that waits for its commit."""

    def __init__(self, connection: "ErrandConnection") -> None:
        self._owner = connection
        self._rows: list[Any] = []

    async def execute(self, sql: str, parameters: Iterable[Any] | None = None) -> "Rows":
        arguments = tuple(parameters or ())
        if sql.lstrip().startswith(CHANGES):
            self._owner.waiting.append(lambda connection: connection.execute(sql, arguments).close())
        else:
            self._rows = await self._owner.in_one_errand(partial(all_rows, sql=sql, parameters=arguments))
        return self

    async def executemany(self, sql: str, parameters: Iterable[Iterable[Any]]) -> "Rows":
        each = [tuple(one) for one in parameters]
        self._owner.waiting.append(lambda connection: connection.executemany(sql, each).close())
        return self

    async def fetchone(self) -> Any:
        return self._rows.pop(0) if self._rows else None

    async def fetchall(self) -> list[Any]:
        rows, self._rows = self._rows, []
        return rows

    async def fetchmany(self, size: int | None = None) -> list[Any]:
        rows, self._rows = self._rows[: size or 1], self._rows[size or 1 :]
        return rows

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._each()

    async def _each(self) -> AsyncIterator[Any]:
        for row in await self.fetchall():
            yield row

    async def close(self) -> None:
        """Drop what was not committed: one that is used by several at once is locked up to here."""
        self._owner.waiting.clear()


class ErrandConnection(Connection):
    """A connection whose changes are executed with their commit, all of them or none."""

    def __init__(self, file: str) -> None:
        super().__init__(partial(sqlite3.connect, file), CHUNK)
        self.waiting: list[Change] = []

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        return self

    @contextmanager
    async def cursor(self) -> Cursor:
        return Rows(self)

    @contextmanager
    async def execute(self, sql: str, parameters: Iterable[Any] | None = None) -> Cursor:
        return await Rows(self).execute(sql, parameters)

    async def commit(self) -> None:
        if self.waiting:
            changes, self.waiting = self.waiting, []
            await self.in_one_errand(partial(all_changes, changes=changes))

    async def in_one_errand(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        """Return what work comes to, in the thread. Raises sqlite3.Error, ValueError."""
        execute: Callable[..., Awaitable[Any]] = self._execute
        return await execute(work, self._conn)


def all_rows(connection: sqlite3.Connection, sql: str, parameters: Sequence[Any]) -> list[Any]:
    """Return what a statement has to say."""
    cursor = connection.execute(sql, parameters)
    rows = cursor.fetchall()
    cursor.close()
    return rows


def all_changes(connection: sqlite3.Connection, changes: Sequence[Change]) -> None:
    """Make the changes and commit them, or none of them."""
    with connection:
        for change in changes:
            change(connection)
