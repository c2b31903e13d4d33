"""The one pool of connections that all calls of a process to OpenAI's API, or one like it, share."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, closing
from dataclasses import dataclass
from typing import Any, cast

from httpx2 import (
    AsyncByteStream,
    AsyncClient,
    ByteStream,
    Client,
    Limits,
    RequestNotRead,
    Response,
    SyncByteStream,
    Timeout,
)
from openai import DefaultAsyncHttpxClient, DefaultHttpxClient

from gatehouse.models.failures import ProviderSaid, error_in
from gatehouse.plain_json import from_json, json_bytes

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
    async with DefaultAsyncHttpxClient(**options, event_hooks={"response": [read_whole]}) as client:
        with DefaultHttpxClient(**options, event_hooks={"response": [read_whole_in_thread]}) as blocking:
            yield ModelHttp(client, blocking, timeout)


async def read_whole(response: Response) -> None:
    """Make one event of a whole answer that comes where a stream was asked for.

    OpenAI's client takes it for a stream without events. Raises ProviderSaid for an error.
    """
    if is_whole_json(response):
        received = cast("AsyncByteStream", response.stream)
        async with aclosing(received):
            as_event(response, b"".join([part async for part in received]))


def read_whole_in_thread(response: Response) -> None:
    """Do and raise as `read_whole` does."""
    if is_whole_json(response):
        with closing(cast("SyncByteStream", response.stream)) as received:
            as_event(response, b"".join(received))


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


def as_event(response: Response, received: bytes) -> None:
    """Put one event in place of what was received of a response. Raises ProviderSaid for an error."""
    body = Response(response.status_code, headers=response.headers, content=received).content
    response.headers.pop("content-encoding", None)
    response.stream = ByteStream(body)
    try:
        told = from_json(body)
    except ValueError:
        return
    if isinstance(told, dict) and (error := error_in(told)) is not None:
        raise ProviderSaid(error)
    response.stream = ByteStream(b"data: " + json_bytes(told) + b"\n\ndata: [DONE]\n\n")
