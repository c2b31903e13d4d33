"""Several statements in one errand of SQLite's thread.

For each statement SQLAlchemy makes a connection, a context and a cursor, and binds its values anew; and the
thread is woken for each statement and for the commit. Of an `/api/chat` in a new thread that was more than
all else its thread cost. Here the statements are compiled once, and executed and committed together.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Insert, util
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql import ClauseElement

Row = Mapping[str, Any]


class Bound:
    """A statement as SQLite takes it, whose values are those of its parameters, or of `columns`."""

    def __init__(
        self, engine: AsyncEngine, statement: ClauseElement, columns: Sequence[str] | None = None
    ) -> None:
        compiled: Any = statement.compile(dialect=engine.dialect, column_keys=columns and list(columns))
        kinds = [
            (name, compiled.binds[name].type.dialect_impl(engine.dialect)) for name in compiled.positiontup
        ]
        self.text = str(compiled)
        self._processed = [(name, kind.bind_processor(engine.dialect)) for name, kind in kinds]
        self._own = {name: value for name, value in compiled.params.items() if value is not None}

    def values(self, row: Row) -> tuple[Any, ...]:
        """Return its values in their order: the statement's own, and those of the row."""
        row = {**self._own, **row}
        return tuple([row[name] if made is None else made(row[name]) for name, made in self._processed])


Work = Callable[[sqlite3.Connection], bool]


async def in_one_errand(engine: AsyncEngine, work: Work) -> bool:
    """Return what work with a connection comes to, in one transaction. Raises what SQLAlchemy raises."""

    def together(connection: sqlite3.Connection) -> bool:
        with connection:  # commits, or rolls back
            return work(connection)

    return await util.greenlet_spawn(_done, engine, together)


def _done(engine: AsyncEngine, work: Work) -> bool:
    """Return what work comes to, with a connection of the pool: in a greenlet, as SQLAlchemy has it."""
    connection: Any = engine.sync_engine.raw_connection()
    try:
        return bool(connection.dbapi_connection.in_one_errand(work))
    except sqlite3.Error as error:
        raise DBAPIError.instance(None, None, error, sqlite3.Error, hide_parameters=True) from error
    finally:
        connection.close()


class InsertTogether:
    """Inserts a row, and if it is new others that are about it: all in one transaction, or nothing."""

    def __init__(
        self, engine: AsyncEngine, first: Insert, columns: Sequence[str], others: Insert, their: Sequence[str]
    ) -> None:
        """`columns` are those of the row that each call has, `their` those of the others."""
        self._engine = engine
        self._first = Bound(engine, first, columns)
        self._others = Bound(engine, others, their)

    async def __call__(self, row: Row, others: Sequence[Row]) -> bool:
        """Return whether the row is new. Raises what SQLAlchemy raises."""
        first, their = self._first.values(row), [self._others.values(other) for other in others]

        def work(connection: sqlite3.Connection) -> bool:
            is_new = connection.execute(self._first.text, first).rowcount > 0
            if is_new:
                connection.executemany(self._others.text, their)
            return is_new

        return await in_one_errand(self._engine, work)
