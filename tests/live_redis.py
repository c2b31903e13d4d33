"""A real Valkey on loopback, from the wheel that also serves who configured no Redis."""

import atexit
import subprocess
import tempfile
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
