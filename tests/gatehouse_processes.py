"""Processes that are forked from one that has imported the application: `gatehouse serve` first of all.

A test that starts a server has nothing to gain from 3 s of imports. All else is as `subprocess.Popen` has it: pid,
signals, exit code, folder, environment, files. What the executable itself does is tested by test_cli_serve.
"""

import atexit
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from multiprocessing import forkserver
from multiprocessing import process as multiprocessing_process
from pathlib import Path
from typing import Any

from gatehouse.cli import main
from gatehouse.process.fork_server import begin, process_context

GATEHOUSE = str(Path(sys.executable).with_name("gatehouse"))
END_SECONDS = 5  # a process that a test forgot keeps it alive


class ForkedProcess:
    """A process that calls a function, with the verbs of `subprocess.Popen`; its output is appended to files."""

    def __init__(
        self,
        work: Callable[[], object],
        environment: Mapping[str, str],
        folder: Path,
        stdout: Path,
        stderr: Path,
    ) -> None:
        self.args = repr(work)
        self._polling = threading.Lock()  # of two that ask at once, multiprocessing tells one that it is lost
        self._process = process_context().Process(
            target=run, args=(work, dict(environment), folder, stdout, stderr)
        )
        self._process.start()
        # which is polled by whoever starts a process, and waited for at the end
        multiprocessing_process._children.discard(self._process)  # type: ignore[attr-defined]
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def poll(self) -> int | None:
        with self._polling:
            return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        until = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if until is not None and time.monotonic() > until:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            time.sleep(0.005)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


ServerProcess = subprocess.Popen[bytes] | ForkedProcess


def started(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, stdout: Path, stderr: Path
) -> ServerProcess:
    """Start a command whose output is appended to files; a `gatehouse` is forked.

    With several workers it has a fork server of its own, as only an executed one has.
    """
    program, *arguments = command
    if program == GATEHOUSE and "--workers" not in arguments and sys.platform == "linux":
        return ForkedProcess(partial(gatehouse, arguments), environment, folder, stdout, stderr)
    return executed(command, environment, folder, stdout, stderr)


def end_fork_server() -> None:
    """End it with the tests, and wait for that a little: what it cost is then told of them (`time make test`)."""
    server: Any = forkserver._forkserver
    if server._forkserver_pid is None:
        return
    os.close(server._forkserver_alive_fd)
    until = time.monotonic() + END_SECONDS
    while os.waitpid(server._forkserver_pid, os.WNOHANG) == (0, 0) and time.monotonic() < until:
        time.sleep(0.01)
    server._forkserver_pid = None


def executed(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, stdout: Path, stderr: Path
) -> subprocess.Popen[bytes]:
    """Start a command whose output is appended to files."""
    with stdout.open("ab") as output, stderr.open("ab") as log:
        return subprocess.Popen(command, env=dict(environment), cwd=folder, stdout=output, stderr=log)


def gatehouse(arguments: Sequence[str]) -> None:
    """Be `gatehouse` with these arguments."""
    sys.argv = ["gatehouse", *arguments]
    main()


def run(
    work: Callable[[], object], environment: dict[str, str], folder: Path, stdout: Path, stderr: Path
) -> None:
    """Do the work as a process that was started for it: what a forked process does."""
    begin(environment)
    os.chdir(folder)
    for stream, path in ((sys.stdout, stdout), (sys.stderr, stderr)):
        with path.open("ab") as file:
            os.dup2(file.fileno(), stream.fileno())
    try:
        work()
    finally:
        atexit._run_exitfuncs()  # multiprocessing ends a process without
