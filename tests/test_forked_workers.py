"""Workers are forked from one process that has imported the tests, and are otherwise as pytest-xdist has them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

HERE = Path(__file__).parent
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux alone")
TOLD = """
    import json, os, sys
    from pathlib import Path

    IMPORTER = os.getpid()

    def test_tells():
        main = vars(sys.modules["__main__"]).get("__file__")
        told = {"importer": IMPORTER, "worker": os.getpid(), "main": main}
        Path(__file__).with_suffix(".json").write_text(json.dumps(told))
"""
DIES = """
    import os

    def test_it():
        os._exit(3)

    def test_next():
        pass
"""
MODULES = {
    "fails": "def test_it(): assert 1 == 2",
    "no": "import no_such_module",
    "one": TOLD,
    "two": TOLD,
    "dies": DIES,
}
PLUGINS = ("xdist.plugin", "pytest_timeout", "forked_workers", "spread_tests", "no:cacheprovider")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("forked")
    for name, code in MODULES.items():
        (folder / f"test_{name}.py").write_text(dedent(code))
    return folder


@pytest.fixture(scope="module")
def ran(folder: Path) -> subprocess.CompletedProcess[str]:
    """What pytest says of tests that two workers run."""
    plugins = [option for name in PLUGINS for option in ("-p", name)]
    alone = ["-c", os.devnull, "--rootdir", ".", "-o", "timeout=60"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, *alone, "-n2", "--dist", "loadfile", "."],
        check=False,
        env={**os.environ, "PYTHONPATH": str(HERE), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=110,
    )


def test_import_nothing_themselves_and_end_with_who_did(
    folder: Path, ran: subprocess.CompletedProcess[str]
) -> None:
    one, two = (json.loads(file.read_text()) for file in sorted(folder.glob("*.json")))
    assert one["importer"] == two["importer"] not in (one["worker"], two["worker"]), ran.stdout + ran.stderr
    assert not [
        pid for pid in (one["importer"], one["worker"], two["worker"]) if Path(f"/proc/{pid}").exists()
    ]
    assert one["main"] is two["main"] is None  # else multiprocessing would run it again


def test_tell_what_fails_and_what_cannot_be_imported(ran: subprocess.CompletedProcess[str]) -> None:
    assert "assert 1 == 2" in ran.stdout
    assert "No module named 'no_such_module'" in ran.stdout


def test_are_replaced_when_they_die(ran: subprocess.CompletedProcess[str]) -> None:
    assert "crashed while running 'test_dies.py::test_it'" in ran.stdout
    assert "2 failed, 3 passed, 1 error" in ran.stdout, ran.stdout
    assert ran.returncode == 1
