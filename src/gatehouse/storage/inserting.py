"""Rows that may be there already."""

from collections.abc import Iterable

from sqlalchemy import Insert, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncEngine


def insert_if_new(engine: AsyncEngine, table: Table) -> Insert:
    """Return an INSERT that leaves a row alone whose key is in the table."""
    return insert_of(engine, table).on_conflict_do_nothing()


def insert_or_change(engine: AsyncEngine, table: Table, changed: Iterable[str]) -> Insert:
    """Return an INSERT that changes these columns of a row whose key is in the table."""
    statement = insert_of(engine, table)
    values = {name: statement.excluded[name] for name in changed}
    return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=values)


def insert_of(engine: AsyncEngine, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Return the database's own INSERT, which says what becomes of a row that is there."""
    if engine.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
