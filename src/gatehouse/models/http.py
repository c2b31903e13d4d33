"""The one pool of connections that all calls of a process to OpenAI's API, or one like it, share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from httpx2 import AsyncClient, Client, Limits, Timeout
from openai import DefaultAsyncHttpxClient, DefaultHttpxClient

CONNECT_SECONDS = 5.0
KEPT = 100  # connections without a call that are kept


@dataclass(frozen=True, slots=True)
class ModelHttp:
    """The clients for event loops and for threads, and the timeout that each call of them is to be given."""

    asynchronous: AsyncClient
    synchronous: Client
    timeout: Timeout


@asynccontextmanager
async def open_model_http(connections: int, call_seconds: float | None) -> AsyncIterator[ModelHttp]:
    """Yield clients with at most so many connections each, and close them at the end.

    How long a stream may be silent is the matter of `guarded.silence`; a call in one piece is silent
    all the time.
    """
    limits = Limits(max_connections=connections, max_keepalive_connections=min(KEPT, connections))
    timeout = Timeout(call_seconds, connect=CONNECT_SECONDS)
    # a redirect would take the api-key header with it to wherever it leads
    options: dict[str, Any] = {"limits": limits, "timeout": timeout, "follow_redirects": False}
    async with DefaultAsyncHttpxClient(**options) as client:
        with DefaultHttpxClient(**options) as blocking:
            yield ModelHttp(client, blocking, timeout)
