"""What a graph is told beside its input."""

from dataclasses import dataclass

import pytest

from gatehouse.problems.errors import RunFailed
from gatehouse.registry.context import GraphContext


@dataclass
class Asking:
    user_id: str
    tenant_id: str = ""
    depth: int = 3


def test_a_client_configures_nothing_that_the_server_knows_itself() -> None:
    assert [(spec.id, spec.default) for spec in GraphContext(Asking).specs()] == [("depth", 3)]


def test_it_is_made_of_what_is_known() -> None:
    known = {"user_id": "alice", "depth": 5, "scopes": []}
    assert GraphContext(Asking).made(known) == Asking("alice", "", 5)
    with pytest.raises(RunFailed, match="needs user_id"):
        GraphContext(Asking).made({"depth": 5})
