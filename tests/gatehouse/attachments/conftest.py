"""A migrated database, and who has attachments in it."""

import pytest

from gatehouse.identity.principal import Principal


@pytest.fixture
def alice() -> Principal:
    return Principal("acme", "alice", "Alice", frozenset("*"), "jwt", "acme-alice")


@pytest.fixture(params=[("acme", "bob"), ("beta", "alice")], ids="/".join)
def stranger(request: pytest.FixtureRequest) -> Principal:
    tenant, user = request.param
    return Principal(tenant, user, user.title(), frozenset("*"), "jwt", f"{tenant}-{user}")
