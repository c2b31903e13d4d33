"""Which entry answers what is asked of none in particular."""

from typing import Any

import pytest

from gatehouse.identity.principal import Principal
from gatehouse.registry.checked import BadRegistry, checked
from gatehouse.registry.default import default_entry
from gatehouse.registry.entry import Entry
from gatehouse.registry.loading import load_registry


def entry(path: str, **fields: Any) -> Entry:
    return Entry(path, lambda parts: parts.model, "Mine.", **fields)


def principal(*scopes: str) -> Principal:
    return Principal("acme", "alice", "Alice", frozenset(scopes), "jwt", "a-token")


def default_of(*entries: Entry, scopes: tuple[str, ...] = ("*",)) -> str | None:
    found = default_entry(checked("registry", entries).by_name, principal(*scopes))
    return None if found is None else found.name


class TestDefault:
    def test_is_the_entry_that_says_so(self) -> None:
        assert default_of(entry("/a"), entry("/b", default=True), entry("/c")) == "b"

    def test_is_the_first_when_none_does(self) -> None:
        assert default_of(entry("/a"), entry("/b")) == "a"
        assert default_of() is None

    def test_is_one_that_the_caller_may_use(self) -> None:
        entries = entry("/a"), entry("/b", default=True), entry("/c", scope="c:read")
        assert default_of(*entries, scopes=("runnable:a", "c:read")) == "a"
        assert default_of(*entries, scopes=("c:read",)) == "c"

    def test_names_itself_to_who_may_use_none(self) -> None:
        assert default_of(entry("/a"), entry("/b", default=True), scopes=()) == "b"


def test_several_defaults_are_refused_by_name() -> None:
    entries = [entry("/a", default=True), entry("/b"), entry("/c", default=True)]
    with pytest.raises(BadRegistry, match="^registry: /a, /c: one entry can be the default, not 2$"):
        load_registry(entries)
