"""What a principal may do with its user's own data."""

from dataclasses import replace

import pytest

from gatehouse.identity.principal import READ_RUNS, READ_THREADS, Principal

PERSON = Principal("acme", "alice", "Alice", frozenset(), "jwt", "t1")


@pytest.mark.parametrize(
    ("principal", "may"),
    [
        (PERSON, True),
        (replace(PERSON, scopes=frozenset({READ_THREADS})), False),  # it names what it has
        (replace(PERSON, scopes=frozenset({READ_RUNS})), True),
        (replace(PERSON, scopes=frozenset({"*"})), True),
        (replace(PERSON, credential="api_key"), False),
        (replace(PERSON, credential="session", opened_with="api_key:k1"), False),
        (replace(PERSON, credential="session", opened_with="jwt:t1"), True),
    ],
)
def test_a_person_has_all_and_a_key_what_it_names(principal: Principal, may: bool) -> None:
    assert principal.may(READ_RUNS) is may
