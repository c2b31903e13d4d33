"""Callers for the tests of threads."""

from gatehouse.identity.principal import Principal


def principal(tenant_id: str, user_id: str) -> Principal:
    return Principal(tenant_id, user_id, user_id.title(), frozenset("*"), "jwt", f"{tenant_id}-{user_id}")
