"""Checks the types of the tests and the benchmarks: `make check`.

A test module is imported by its bare name, as pytest does it, and two programs as `tests.chaos` and `tests.peers`, which import
the same modules as `tests.…`: so there are two runs of mypy. What both import it reads once.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
NOT_OURS = {"node_modules", "__pycache__"}
BY_FULL_NAME = {"chaos", "peers"}
MYPY = (sys.executable, "-m", "mypy", "--explicit-package-bases")


def main() -> int:
    modules = [file for file in sorted(TESTS.rglob("*.py")) if not (NOT_OURS | BY_FULL_NAME) & {*file.parts}]
    folders = sorted({str(file.parent) for file in modules})
    named = [part for file in modules for part in ("-m", name_of(file))]
    found = [
        checked(named, folders),
        checked(
            ["-p", "bench", *(part for name in BY_FULL_NAME for part in ("-p", f"tests.{name}"))],
            [str(TESTS), str(TESTS / "gatehouse" / "http")],  # the peers' servers are those of its tests
        ),
    ]
    return max(found)


def name_of(file: Path) -> str:
    """Return the name that no other module has: there is a conftest.py in many folders."""
    full = ".".join(file.relative_to(ROOT).with_suffix("").parts)
    return full if file.name == "conftest.py" else file.stem


def checked(what: Sequence[str], folders: Sequence[str]) -> int:
    """Return mypy's exit code for these modules, which import others from these folders by their bare names."""
    environment = {**os.environ, "MYPYPATH": os.pathsep.join(folders)}
    return subprocess.run([*MYPY, *what], cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
