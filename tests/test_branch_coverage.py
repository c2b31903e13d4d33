"""`make test COVERAGE=1` adds up what ran in all workers, and fails when too little did."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HALF = """
def parity(number: int) -> str:
    if number % 2:
        return "odd"
    return "even"
"""
TESTS = """
import pytest
from app.halves import parity

@pytest.mark.parametrize(("number", "name"), [(1, "odd"), (2, "even")])
def test_parity(number, name):
    assert parity(number) == name
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("src/gatehouse", "app", "chains", "tools"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "app" / "__init__.py").touch()
    (tmp_path / "app" / "halves.py").write_text(HALF)
    (tmp_path / "test_halves.py").write_text(TESTS)
    return tmp_path


def run(project: Path, *options: str) -> tuple[int, str]:
    """Return the exit code of the project's tests and their last line but one: what was covered."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "xdist", "-p", "tests.branch_coverage", *options],
        cwd=project,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_ADDOPTS": "",
        },
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return done.returncode, next((line for line in done.stdout.splitlines() if " % of " in line), done.stdout)


if sys.version_info < (3, 15):  # which SlipCover is not for

    def test_what_any_worker_ran_is_covered(project: Path) -> None:
        covered = (0, "100.00 % of lines and branches ran, 100 % must")
        assert run(project, "-n", "2", "--covered=100") == covered

    def test_too_little_fails_the_run_and_names_it(project: Path) -> None:
        code, said = run(project, "-k", "odd", "-n", "1", "--covered=90")
        assert code == 1
        assert said == "66.67 % of lines and branches ran, 90 % must"
