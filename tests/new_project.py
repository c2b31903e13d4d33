"""A project as `gatehouse new` writes it, and the variables of a process that uses it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from typer.testing import CliRunner

import gatehouse
from gatehouse.cli import gatehouse as commands

PACKAGE = Path(gatehouse.__file__).parents[1]


def new_project(folder: Path) -> Path:
    """Return the folder, with a project in it."""
    made = CliRunner().invoke(commands, ["new", str(folder)], prog_name="gatehouse")
    assert made.exit_code == 0, made.output
    return folder


def environment_of_a_person(**more: str) -> dict[str, str]:
    """Return variables with nothing of ours in them but the package that is tested."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "PYTHONPATH": str(PACKAGE), "PYTHONDONTWRITEBYTECODE": "1", **more}


def own_tests(folder: Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a project's tests with this Python, and return what they print. Fails when one of them does."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command,
        cwd=folder,
        # a project has no other plugins of pytest than its own conftest.py; to load ours takes seconds
        env={**(environment or environment_of_a_person()), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout
