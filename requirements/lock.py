"""Compile the hashed lock files with uv, or with --check tell whether they still fit their sources.

Existing pins are kept unless --upgrade is given, so a new release on the index never fails --check.
"""

import argparse
import difflib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCKS = {
    "requirements/runtime.txt": ["pyproject.toml"],
    "requirements/dev.txt": ["pyproject.toml", "--extra", "dev"],
    "requirements/build.txt": ["requirements/build.in"],
    "requirements/installer.txt": ["requirements/installer.in"],
    "requirements/embedded.txt": ["requirements/embedded.in", "--no-deps"],
    "examples/django_site/requirements.txt": ["examples/django_site/requirements.in"],
}
COMPILE = ["pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes"]
NAME_NO_HOST = ["--no-header", "--no-emit-index-url", "--no-emit-find-links"]


def uv() -> str:
    """Return the path of the uv that stands beside this Python, or of the one on the PATH."""
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        sys.exit("uv is missing: pip install uv")
    return found


def compile_lock(sources: list[str], target: Path, upgrade: bool) -> None:
    """Write `target` from `sources`, keeping the pins that `target` already holds."""
    command = [uv(), *COMPILE, *NAME_NO_HOST, *sources, "-o", str(target), *["--upgrade"] * upgrade]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def stale(lock: str, sources: list[str]) -> list[str]:
    """Return how the lock as committed differs from the lock compiled now; empty when it is up to date."""
    committed = (ROOT / lock).read_text()
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "lock.txt"
        fresh.write_text(committed)
        compile_lock(sources, fresh, upgrade=False)
        compiled = fresh.read_text()
    return list(
        difflib.unified_diff(committed.splitlines(), compiled.splitlines(), lock, "compiled now", lineterm="")
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 if out of date")
    parser.add_argument("--upgrade", action="store_true", help="take newer releases")
    options = parser.parse_args()
    if not options.check:
        for lock, sources in LOCKS.items():
            compile_lock(sources, ROOT / lock, options.upgrade)
        return 0
    differences = [line for lock, sources in LOCKS.items() for line in stale(lock, sources)]
    print("\n".join(differences) if differences else "lock files are up to date")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
