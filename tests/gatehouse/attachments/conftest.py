"""A migrated database, and who has attachments in it."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.identity.principal import Principal
from gatehouse.storage.database import open_engine


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture
def alice() -> Principal:
    return Principal("acme", "alice", "Alice", frozenset("*"), "jwt", "acme-alice")


@pytest.fixture(params=[("acme", "bob"), ("beta", "alice")], ids="/".join)
def stranger(request: pytest.FixtureRequest) -> Principal:
    tenant, user = request.param
    return Principal(tenant, user, user.title(), frozenset("*"), "jwt", f"{tenant}-{user}")
