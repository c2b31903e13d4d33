"""A migrated database, and callers of two tenants."""

from collections.abc import AsyncIterator

import pytest
from postgres_databases import superuser_url
from sqlalchemy.ext.asyncio import AsyncEngine
from thread_callers import principal

from gatehouse.identity.principal import Principal
from gatehouse.storage.database import open_engine
from gatehouse.threads.store import ThreadStore


@pytest.fixture
async def unbound(
    request: pytest.FixtureRequest, engine: AsyncEngine, database_url: str
) -> AsyncIterator[AsyncEngine]:
    """The same database for who sees the rows of every tenant: on PostgreSQL, a superuser."""
    if engine.dialect.name != "postgresql":
        yield engine
        return
    server: str = request.getfixturevalue("postgres_url")
    superuser = open_engine(superuser_url(server, database_url))
    yield superuser
    await superuser.dispose()


@pytest.fixture
def store(engine: AsyncEngine) -> ThreadStore:
    return ThreadStore(engine)


@pytest.fixture
def alice() -> Principal:
    return principal("acme", "alice")


@pytest.fixture(params=[("acme", "bob"), ("beta", "alice"), ("beta", "bob")], ids="/".join)
def stranger(request: pytest.FixtureRequest) -> Principal:
    """Somebody who is not alice of acme: another user, the same user id of another tenant, or both."""
    return principal(*request.param)
