"""Runs a file of Node's tests, which may drive Chromium, from tests/e2e, whose packages it uses."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

E2E = Path(__file__).parent / "e2e"
ARTEFACTS = E2E.parent.parent / "test-artifacts"


def run_node_tests(script: str, needs: str, seconds: float = 110, **variables: str) -> None:
    """Fail with Node's own report when one of the tests fails. Skips when the program `needs` is missing."""
    program = shutil.which(needs)
    if program is None:
        pytest.skip(f"{needs} is not installed")
    ARTEFACTS.mkdir(exist_ok=True)
    done = subprocess.run(
        ["node", "--test", "--test-reporter=spec", script],
        cwd=E2E,
        env={
            **os.environ,
            "GATEHOUSE_ARTEFACTS": str(ARTEFACTS),
            "CHROMIUM": shutil.which("chromium") or "",
            **variables,
        },
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
