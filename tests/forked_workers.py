"""Workers of pytest-xdist that are forked from one process, which has imported all tests and what they test.

To import that takes 8 s of CPU, and twice that in a fresh clone or under coverage; what is forked needs 2 s. A worker is
otherwise as pytest-xdist has it: what it starts in a worker's place (forked_worker.py) hands the worker its pipes.
"""

import json
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parent
END_SECONDS = 10


@pytest.hookimpl(wrapper=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, object, object]:
    """Change `-n 4` for pytest-xdist, which would start each of them."""
    workers = config.getoption("numprocesses", None)
    if not isinstance(workers, int) or workers < 2 or not can_fork(config):
        return (yield)
    with forking(config.invocation_params.args) as worker:
        config.option.numprocesses, config.option.tx = None, [f"popen//python={worker}"] * workers
        return (yield)


def can_fork(config: pytest.Config) -> bool:
    """Tell whether processes are forked here, and whether what they imported before that counts as run."""
    by_coverage_py = config.getoption("cov_source", None) is not None
    return sys.platform == "linux" and not by_coverage_py and not config.getoption("collectonly")


@contextmanager
def forking(arguments: Sequence[object]) -> Iterator[str]:
    """Import the tests that these arguments choose; yield the command that is a worker."""
    with tempfile.TemporaryDirectory(prefix="gh-workers-") as folder:
        path = f"{folder}/socket"
        process = listening(path)
        assert process.stdin is not None
        with process.stdin as told:  # until it is closed
            told.write(
                json.dumps({"arguments": list(map(str, arguments)), "path": sys.path}).encode() + b"\n"
            )
            told.flush()
            yield shlex.join([sys.executable, "-I", "-S", str(HERE / "forked_worker.py"), path])
        process.wait(END_SECONDS)


def listening(path: str) -> subprocess.Popen[bytes]:
    """Start the process that forks, which alone listens on the path: who asks it when it has died is told so."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        return subprocess.Popen(
            [sys.executable, str(HERE / "worker_fork_server.py"), str(listener.fileno())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
        )
