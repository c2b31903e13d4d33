"""Long tests are begun first, by different workers."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from spread_tests import long_ones_first


def made(name: str, seconds: float | None = None) -> pytest.Item:
    """Return a test of the module before the colon, which may be given more time."""
    mark = None if seconds is None else pytest.mark.timeout(seconds).mark
    fake: Any = SimpleNamespace(nodeid=f"{name[0]}.py::{name}", get_closest_marker=lambda _name: mark)
    return cast("pytest.Item", fake)


def spread(*items: pytest.Item, workers: int) -> list[str]:
    return [item.nodeid.rpartition(":")[2] for item in long_ones_first(items, workers, usual=120)]


class TestLongOnesFirst:
    def test_each_stretch_begins_with_those_of_one_module(self) -> None:
        short = [made(f"a{number}") for number in range(6)]
        long = [made("x1"), made("x2", 300), made("y1", 400)]
        assert spread(*long, *short, workers=3) == ["x1", "x2", "a0", "y1", "a1", "a2", "a3", "a4", "a5"]

    def test_what_is_given_less_stays_where_it_is(self) -> None:
        assert spread(made("a0"), made("b0", 20), made("c0"), workers=2) == ["a0", "b0", "c0"]

    @pytest.mark.parametrize("workers", [1, 2, 7])
    def test_none_is_lost(self, workers: int) -> None:
        names = [f"{module}{number}" for module in "ab" for number in range(3)]
        items = [made(name, 300 if name[0] == "a" else None) for name in names]
        assert sorted(spread(*items, workers=workers)) == names
