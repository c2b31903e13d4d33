"""One embedded model for several processes: who starts them runs it, and tells them in the environment."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from gatehouse.models.embedded.server import SHARED, CannotStart, LlamaServer, started

__all__ = ["CannotStart", "shared_llama_server"]


@contextmanager
def shared_llama_server() -> Iterator[LlamaServer]:
    """Run the model's server for this process and those that it starts meanwhile. Raises CannotStart."""
    key = secrets.token_urlsafe(32)
    running = [started(key)]
    server = LlamaServer(f"{running[0].listening_address}/v1", key)
    os.environ[SHARED] = f"{server.base_url} {key}"
    try:
        yield server
    finally:
        del os.environ[SHARED]
        running.clear()  # the server stops when its last reference goes
