"""Modules are given to workers whole, and those that take longest are begun first."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from spread_tests import long_ones_first


def made(
    name: str, seconds: float | None = None, scope: str = "function", base: str = "tests"
) -> pytest.Item:
    """Return a test of the module of the first letter, which may be given more time, with a fixture."""
    mark = None if seconds is None else pytest.mark.timeout(seconds).mark
    fixtures = {"made": [SimpleNamespace(scope=scope, baseid=base)]}
    fake: Any = SimpleNamespace(
        nodeid=f"{name[0]}.py::{name}",
        get_closest_marker=lambda _name: mark,
        _fixtureinfo=SimpleNamespace(name2fixturedefs=fixtures),
    )
    return cast("pytest.Item", fake)


def ordered(*items: pytest.Item) -> list[str]:
    return [item.nodeid.rpartition(":")[2] for item in long_ones_first(items, usual=120)]


class TestLongOnesFirst:
    def test_a_module_that_is_given_most_begins_whole(self) -> None:
        items = [made("a1"), made("x1"), made("x2", 300), made("y1", 400), made("a2")]
        assert ordered(*items) == ["y1", "x1", "x2", "a1", "a2"]

    def test_then_modules_that_share_something(self) -> None:
        items = [made("a1"), made("a2"), made("s1"), made("s2", scope="module"), made("r1", scope="session")]
        assert ordered(*items) == ["s1", "s2", "r1", "a1", "a2"]

    def test_what_pytest_itself_makes_once_is_not_shared(self) -> None:
        assert ordered(made("p1", scope="session", base=""), made("s1", scope="session")) == ["s1", "p1"]

    def test_then_those_of_many_tests(self) -> None:
        assert ordered(made("a1"), made("b1"), made("b2"), made("c1")) == ["b1", "b2", "a1", "c1"]

    def test_what_is_given_less_is_not_short(self) -> None:
        assert ordered(made("a1", 20), made("b1")) == ["a1", "b1"]
