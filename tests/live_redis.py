"""A real Valkey on loopback, from the wheel that also serves who configured no Redis."""

import atexit
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from itertools import count
from pathlib import Path

from live_server import free_port
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from gatehouse.storage.valkey import executable

START_SECONDS = 10
POLL = 0.01
DATABASES = 100_000  # made when they are used

numbers = count(1)


@contextmanager
def running_redis(folder: Path) -> Iterator[str]:
    """Yield the URL of a Valkey that keeps nothing; stop it in the end."""
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(
        [str(executable()), *options, "--databases", str(DATABASES)], cwd=folder, stdout=subprocess.DEVNULL
    )
    try:
        wait_until_it_answers(port)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def wait_until_it_answers(port: int) -> None:
    patience = Retry(ConstantBackoff(POLL), int(START_SECONDS / POLL), (RedisConnectionError,))
    with Redis(port=port, retry=patience) as client:
        client.ping()


@cache
def shared_redis() -> str:
    """Return the URL of a Valkey that all tests of this process share, and that ends with it."""
    stack = ExitStack()
    atexit.register(stack.close)
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="gatehouse-redis-"))
    return stack.enter_context(running_redis(Path(folder)))


def empty_redis() -> str:
    """Return the URL of a database of that Valkey in which nothing is, and which nobody else is given."""
    return f"{shared_redis().removesuffix('/0')}/{next(numbers)}"


class RedisServer:
    """A Valkey of a test's own on a free loopback port, to be stopped and started again."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.options = options or ("--save", "", "--appendonly", "no")
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and return when it answers. It loads what it has on disk."""
        where = ("--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder))
        self.process = subprocess.Popen(
            [str(executable()), *where, *self.options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until_time = time.monotonic() + 10
        while not answers(self.port):
            assert time.monotonic() < until_time, "Valkey does not answer"
            time.sleep(0.02)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None


def answers(port: int) -> bool:
    """Tell whether a Redis that has loaded its data listens on the port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False
