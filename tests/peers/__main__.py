"""`python -m tests.peers FOLDER`: LangServe's own unit tests against Gatehouse.

FOLDER is LangServe's repository, unpacked, at the version that is installed here; its tests are not in its
distribution. pytest-mock has to be there beside what our own tests need. Fails when a test fails that is not
listed in `differences`, or one passes that is.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.peers.differences import DIFFERENCES, LINE_ENDED

ROOT = Path(__file__).parents[2]
PATHS = ("src", ".", "tests", "tests/gatehouse/http", "tests/peers")
UNUSED_PLUGINS = (
    "langsmith_plugin",
    "schemathesis",
    "anyio",
    "platformdirs",
    "valkey",
    "slipcover",
    "cacheprovider",
)


def main(arguments: list[str]) -> int:
    """Run the tests and return the exit code: 0 when all is as listed."""
    tests = Path(arguments[0] if arguments else "") / "tests" / "unit_tests"
    if not (arguments and tests.is_dir()):
        print("usage: python -m tests.peers FOLDER  (of LangServe's repository)", file=sys.stderr)
        return 2
    if find_spec("pytest_mock") is None:
        print("LangServe's tests need pytest-mock: install it first", file=sys.stderr)
        return 2
    outcomes = outcomes_of([str(tests.absolute()), *arguments[1:]], tests)
    again = outcomes_of([str(tests.absolute() / name) for name in LINE_ENDED], tests, line_ends="CRLF")
    unexpected = [*faults(outcomes), *faults(again, {})]
    print(
        f"{passed(outcomes)} of {len(outcomes)} of LangServe's tests pass through Gatehouse;",
        f"{passed(again)} more do when lines of event streams end in CRLF.",
        *unexpected,
        sep="\n",
    )
    return 1 if unexpected or not outcomes else 0


def passed(outcomes: Mapping[str, str]) -> int:
    return sum(outcome == "passed" for outcome in outcomes.values())


def outcomes_of(asked: list[str], tests: Path, line_ends: str = "LF") -> dict[str, str]:
    """Return how each test ended, by its name."""
    with TemporaryDirectory() as folder:
        written = Path(folder) / "outcomes.json"
        plugins = [part for name in UNUSED_PLUGINS for part in ("-p", f"no:{name}")]
        command = [
            *(sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(tests.parents[1])),
            *(
                "-o",
                "asyncio_mode=auto",
                "-o",
                "timeout=60",
                "-o",
                "asyncio_default_fixture_loop_scope=function",
            ),
            *("-p", "client_on_httpx", "-p", "served_for_langserve", *plugins),
            *("--disable-warnings", "--tb=line", "--show-capture=no"),
            *asked,
        ]
        subprocess.run(command, env=environment(written, line_ends), check=False)
        outcomes: dict[str, str] = json.loads(written.read_text()) if written.exists() else {}
    return outcomes


def environment(written: Path, line_ends: str) -> dict[str, str]:
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    path = os.pathsep.join([*(str(ROOT / name) for name in PATHS), *given])
    return {
        **os.environ,
        "PYTHONPATH": path,
        "PYTHONDONTWRITEBYTECODE": "1",
        "GATEHOUSE_PEERS_OUTCOMES": str(written),
        "GATEHOUSE_PEERS_LINE_ENDS": line_ends,
    }


def faults(outcomes: Mapping[str, str], listed: Mapping[str, str] = DIFFERENCES) -> list[str]:
    """Return what is not as listed, one line each."""
    failed = {name for name, outcome in outcomes.items() if outcome != "passed"}
    return [
        *(f"FAILS, and is not listed: {name}" for name in sorted(failed - listed.keys())),
        *(f"PASSES, and is listed: {name}" for name in sorted(listed.keys() & outcomes.keys() - failed)),
        *(f"IS NOT THERE, and is listed: {name}" for name in sorted(listed.keys() - outcomes.keys())),
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
