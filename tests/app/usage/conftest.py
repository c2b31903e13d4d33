"""The books on both databases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from postgres_databases import empty_database
from sqlalchemy.ext.asyncio import AsyncEngine

from app.database import open_engine, upgrade


@pytest.fixture(params=["sqlite", "postgresql"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """A database with the newest schema, gone after the test."""
    if request.param == "sqlite":
        engine = open_engine(f"sqlite+aiosqlite:///{tmp_path / 'gatehouse.db'}")
        await upgrade(engine)
        yield engine
        await engine.dispose()
        return
    async with empty_database(request.getfixturevalue("postgres_url")) as url:
        engine = open_engine(url)
        await upgrade(engine)
        yield engine
        await engine.dispose()
