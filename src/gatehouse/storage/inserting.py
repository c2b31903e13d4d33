"""Rows that may be there already."""

from sqlalchemy import Insert, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncEngine


def insert_if_new(engine: AsyncEngine, table: Table) -> Insert:
    """Return an INSERT that leaves a row alone whose key is in the table."""
    dialect = postgresql if engine.dialect.name == "postgresql" else sqlite
    statement: Insert = dialect.insert(table).on_conflict_do_nothing()
    return statement
