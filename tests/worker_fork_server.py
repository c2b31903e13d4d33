"""Collects tests, and then forks a worker of pytest-xdist for whoever asks, until its stdin is closed."""

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
from types import ModuleType

import pytest


def main() -> None:
    told = json.loads(first_line())
    sys.path[:] = told["path"]
    pytest.main([*told["arguments"], "-n0", "--collect-only", "-q"])  # a worker tells what went wrong
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as listener:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them here
        streams = forked(listener)
    if streams:
        be_worker(streams)


def first_line() -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(0, 1)
    return line


def forked(listener: socket.socket) -> list[int]:
    """Return the streams that a forked process is given; none in the process that forks, in the end."""
    while listener.fileno() in select.select([listener.fileno(), 0], [], [])[0]:
        connection, _ = listener.accept()
        _, streams, *_ = socket.recv_fds(connection, 1, 3)
        if os.fork() == 0:
            connection.detach()  # closed when this process ends
            return streams
        connection.close()
        for stream in streams:
            os.close(stream)
    return []


def be_worker(streams: list[int]) -> None:
    """Be what `python -c` would be with the streams: run what execnet sends."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    sys.argv = ["-c"]
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    module = sys.modules["__main__"] = ModuleType("__main__")
    exec(eval(sys.stdin.readline()), vars(module))  # execnet's first line is Python in a Python string


with contextlib.suppress(KeyboardInterrupt):
    main()
