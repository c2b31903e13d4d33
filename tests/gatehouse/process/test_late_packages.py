"""Packages whose code runs when a name of theirs is asked for."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatehouse.process.late_packages import put_off

RUNS = "runs_of_the_package.txt"
PACKAGE = f"""
from pathlib import Path
with Path(__file__).with_name({RUNS!r}).open("a") as runs:
    runs.write("x")
from late_for_a_test.part import PART
WHOLE = PART + 1
"""


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What the package writes whenever its code runs; it is put off."""
    folder = tmp_path / "late_for_a_test"
    folder.mkdir()
    (folder / "__init__.py").write_text(PACKAGE)
    (folder / "part.py").write_text("PART = 1")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    put_off(frozenset({"late_for_a_test"}))
    yield folder / RUNS
    for name in ("late_for_a_test", "late_for_a_test.part"):
        sys.modules.pop(name, None)


def test_a_module_of_the_package_runs_without_it(runs: Path) -> None:
    assert importlib.import_module("late_for_a_test.part").PART == 1
    assert not runs.exists()


def test_its_code_runs_once_for_all_its_names(runs: Path) -> None:
    package = importlib.import_module("late_for_a_test")
    assert (package.WHOLE, package.PART, package.WHOLE) == (2, 1, 2)
    assert runs.read_text() == "x"


def test_a_name_that_it_has_not(runs: Path) -> None:
    package = importlib.import_module("late_for_a_test")
    with pytest.raises(AttributeError, match="module 'late_for_a_test' has no attribute 'NOTHING'"):
        _ = package.NOTHING
    with pytest.raises(ImportError, match="cannot import name 'NOTHING'"):
        exec("from late_for_a_test import NOTHING")
    assert runs.read_text() == "x"


def test_it_is_put_off_once(runs: Path) -> None:
    before = len(sys.meta_path)
    put_off(frozenset({"late_for_a_test"}))
    assert len(sys.meta_path) == before
    assert not runs.exists()
