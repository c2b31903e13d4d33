"""The rule that in CI a skipped test is a failure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SUITE = """
import pytest

def test_skipped():
    pytest.skip("no browser")

@pytest.mark.xfail(reason="known")
def test_expected_to_fail():
    assert False

def test_passes():
    pass
"""
MODULE = 'import pytest\npytest.skip("no Node", allow_module_level=True)\n'


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "test_some.py").write_text(SUITE)
    return tmp_path


def run_suite(suite: Path, require_all: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "require_all", "-p", "no:cacheprovider", "-ra", str(suite)],
        cwd=suite,
        env={
            **os.environ,
            "PYTHONPATH": str(HERE),
            "REQUIRE_ALL": require_all,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # which would import half of the dependencies
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout


def test_a_skip_is_a_failure_when_all_is_required(suite: Path) -> None:
    code, report = run_suite(suite, "1")
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "REQUIRE_ALL=1 allows no skip. Skipped: no browser" in report
    assert "1 failed, 1 passed, 1 xfailed" in report


def test_so_is_a_module_that_skips_itself(suite: Path) -> None:
    (suite / "test_module.py").write_text(MODULE)
    code, report = run_suite(suite, "1")
    assert code == pytest.ExitCode.INTERRUPTED
    assert "REQUIRE_ALL=1 allows no skip. Skipped: no Node" in report


def test_a_skip_is_a_skip_elsewhere(suite: Path) -> None:
    (suite / "test_module.py").write_text(MODULE)
    code, report = run_suite(suite, "0")
    assert code == pytest.ExitCode.OK
    assert "1 passed, 2 skipped, 1 xfailed" in report
