"""The one pool of connections that all calls of a process to OpenAI's API, or one like it, share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from httpx2 import AsyncClient, Client, Limits, RequestNotRead, Response, Timeout
from openai import DefaultAsyncHttpxClient, DefaultHttpxClient

from gatehouse.models.failures import ProviderSaid
from gatehouse.plain_json import from_json

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
    async with DefaultAsyncHttpxClient(**options, event_hooks={"response": [refuse_error]}) as client:
        with DefaultHttpxClient(**options, event_hooks={"response": [refuse_error_in_thread]}) as blocking:
            yield ModelHttp(client, blocking, timeout)


async def refuse_error(response: Response) -> None:
    """Raise ProviderSaid for an error that comes with a success where a stream was asked for.

    OpenAI's client takes such a body for a stream without events.
    """
    if is_whole_json(response):
        check_body(await response.aread())


def refuse_error_in_thread(response: Response) -> None:
    """Raise as `refuse_error` does."""
    if is_whole_json(response):
        check_body(response.read())


def is_whole_json(response: Response) -> bool:
    """Tell whether a stream was asked for and one JSON text comes."""
    kind = response.headers.get("content-type", "")
    return response.is_success and kind.startswith("application/json") and b'"stream":true' in sent(response)


def sent(response: Response) -> bytes:
    """Return the body of a response's request; of one that is streamed itself, nothing."""
    try:
        return response.request.content
    except RequestNotRead:
        return b""


def check_body(body: bytes) -> None:
    """Raise ProviderSaid when a body is an error."""
    try:
        told = from_json(body)
    except ValueError:
        return
    if isinstance(told, dict) and (error := told.get("error") or (told.get("object") == "error" and told)):
        raise ProviderSaid(error)
