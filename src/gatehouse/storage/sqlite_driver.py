"""aiosqlite as SQLAlchemy uses it, with fewer errands to the thread that has the connection.

To SQLAlchemy a statement is four of them: the cursor is made, the statement executed, its rows fetched, the
cursor closed; and a connection that goes back to the pool is rolled back, whatever was done with it. Each
wakes the thread and then the event loop, which costs more than SQLite's own work: a request that begins a
thread and answers in it made thirty. Here a statement is one, and what began no transaction ends none.
"""

import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar

import aiosqlite
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
    AsyncAdapt_aiosqlite_dbapi,
)
from sqlalchemy.util import await_only

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Ran:
    """What a statement came to; SQLAlchemy asks it as the cursor that is closed by then."""

    description: Any = None
    rowcount: int = -1
    lastrowid: int | None = None
    rows: Sequence[Any] = ()
    arraysize: int = 1

    def close(self) -> None:
        """Do nothing: the cursor is closed."""


class Cursor(AsyncAdapt_aiosqlite_cursor):
    """Executes a statement in one errand."""

    __slots__ = ()

    _awaitable_cursor_close = False

    def _make_new_cursor(self, connection: Any) -> Any:  # noqa: ARG002  # SQLAlchemy's signature
        return Ran()

    def _aenter_cursor(self, cursor: Any) -> Any:
        return cursor

    async def _execute_async(self, operation: Any, parameters: Any) -> Any:
        return await self._run(executed, operation, () if parameters is None else parameters)

    async def _executemany_async(self, operation: Any, seq_of_parameters: Any) -> Any:
        return await self._run(executed_many, operation, seq_of_parameters)

    async def _run(self, work: Callable[..., Ran], operation: Any, parameters: Any) -> Ran:
        connection: Any = self._adapt_connection
        driver: Any = self._connection
        async with connection._execute_mutex:
            connection.busy = True  # and stays so where this is cancelled
            ran: Ran = await driver._execute(work, driver._conn, operation, parameters)
            connection.busy = False
        self._cursor, self._rows = ran, deque(ran.rows)  # type: ignore[assignment]  # asked for the same
        return ran


class Connection(AsyncAdapt_aiosqlite_connection):
    """A connection that ends only the transactions that have begun."""

    __slots__ = ("busy",)

    _cursor_cls = Cursor

    def __init__(self, dbapi: Any, connection: Any) -> None:
        super().__init__(dbapi, connection)
        self.busy = False

    def in_one_errand(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Return what work comes to that ends its transaction itself. Raises sqlite3.Error."""
        try:
            return await_only(self._errand(work))
        except Exception as error:
            self._handle_exception(error)

    async def _errand(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        driver: Any = self._connection
        async with self._execute_mutex:
            self.busy = True  # and stays so where this is cancelled
            result: Result = await driver._execute(work, driver._conn)
            self.busy = False
        return result

    def rollback(self) -> None:
        if self._may_have_begun:
            super().rollback()
            self.busy = False

    def commit(self) -> None:
        if self._may_have_begun:
            super().commit()

    @property
    def _may_have_begun(self) -> bool:
        driver: Any = self._connection
        return self.busy or driver._connection is None or driver.in_transaction


class Driver(AsyncAdapt_aiosqlite_dbapi):
    """The DBAPI module for `create_async_engine`."""

    def __init__(self, aiosqlite: ModuleType = aiosqlite, sqlite: ModuleType = sqlite3) -> None:
        super().__init__(aiosqlite, sqlite)

    def connect(self, *arguments: Any, **options: Any) -> Connection:
        return Connection(self, super().connect(*arguments, **options)._connection)


def executed(connection: sqlite3.Connection, operation: str, parameters: Any) -> Ran:
    """Return what a statement came to. Raises sqlite3.Error."""
    return finished(connection.execute(operation, parameters))


def executed_many(connection: sqlite3.Connection, operation: str, parameters: Any) -> Ran:
    """Return what a statement came to with each of these. Raises sqlite3.Error."""
    return finished(connection.executemany(operation, parameters))


def finished(cursor: sqlite3.Cursor) -> Ran:
    """Return what a cursor has, and close it."""
    rows = cursor.fetchall() if cursor.description else ()
    ran = Ran(cursor.description, cursor.rowcount, cursor.lastrowid, rows)
    cursor.close()
    return ran
