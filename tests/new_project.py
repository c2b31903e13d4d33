"""A project as `gatehouse new` writes it, and the variables of a process that uses it."""

import os
import sys
from pathlib import Path

from gatehouse_processes import completed
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


def own_tests(folder: Path) -> str:
    """Run a project's tests with this Python, and return what they print. Fails when one of them does."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    # a project has no other plugins of pytest than its own conftest.py; to load ours takes seconds
    done = completed(command, environment_of_a_person(PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"), folder, 110)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout
