"""Processes that are forked from one that has imported the application: `gatehouse`, or a program of Python.

A test that starts a server has nothing to gain from 3 s of imports. All else is as `subprocess.Popen` has it: pid,
signals, exit code, folder, environment, files. What the executable itself does is tested by test_cli_serve.
"""

import atexit
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from multiprocessing import forkserver
from multiprocessing import process as multiprocessing_process
from pathlib import Path
from types import ModuleType
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
        return forked(command, environment, folder, stdout, stderr)
    return executed(command, environment, folder, stdout, stderr)


def forked(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, stdout: Path, stderr: Path
) -> ForkedProcess:
    """Start a `gatehouse` or a program of this Python, whose output is appended to files."""
    return ForkedProcess(work_of(command), environment, folder, stdout, stderr)


def work_of(command: Sequence[str]) -> Callable[[], None]:
    """Return what a forked process calls to be a `gatehouse` or a program of this Python."""
    program, *arguments = command
    return partial({GATEHOUSE: gatehouse, sys.executable: python}[program], arguments)


def completed(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, seconds: float = 100
) -> subprocess.CompletedProcess[str]:
    """Fork a command as `forked` does, and return what it printed when it has ended."""
    with tempfile.TemporaryDirectory(prefix="gh-printed-") as printed:
        stdout, stderr = Path(printed, "stdout"), Path(printed, "stderr")
        process = forked(command, environment, folder, stdout, stderr)
        try:
            code = process.wait(seconds)
        finally:
            process.kill()
        return subprocess.CompletedProcess(command, code, stdout.read_text(), stderr.read_text())


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


def python(arguments: Sequence[str]) -> None:
    """Be `python -c CODE`, `python -m MODULE` or `python FILE` with what follows."""
    kind, *rest = arguments
    sys.argv = rest if kind in ("-c", "-m") else [kind, *rest]
    sys.path.insert(0, str(Path.cwd() if kind in ("-c", "-m") else Path(kind).parent))
    if kind == "-c":
        sys.argv[0], code = "-c", rest[0]
        sys.modules["__main__"] = ModuleType("__main__")
        exec(compile(code, "<string>", "exec"), vars(sys.modules["__main__"]))
    elif kind == "-m":
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(kind, run_name="__main__")


def run(
    work: Callable[[], object], environment: dict[str, str], folder: Path, stdout: Path, stderr: Path
) -> None:
    """Do the work as a process that was started for it: what a forked process does."""
    begin(environment)
    sys.path[:0] = environment.get("PYTHONPATH", "").split(os.pathsep)
    os.chdir(folder)
    for stream, path in ((sys.stdout, stdout), (sys.stderr, stderr)):
        with path.open("ab") as file:
            os.dup2(file.fileno(), stream.fileno())
    try:
        work()
    finally:
        atexit._run_exitfuncs()  # multiprocessing ends a process without
