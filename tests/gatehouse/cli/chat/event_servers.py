"""A server that answers as a test says: each request takes the next of the answers."""

import json
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import httpx2

RUN = "0198c0de-0000-7000-8000-000000000001"


def frame(event_id: str, type: str, content: str = "", **more: Any) -> str:
    """Return an event as the server sends it."""
    data = json.dumps({"type": type, "content": content, **more})
    return f"id: {event_id}\nevent: {type}\ndata: {data}\n\n"


def start(attempt: int = 1) -> str:
    return frame(f"{attempt}-1", "start", run_id=RUN, thread_id="thread", runnable="chat", attempt=attempt)


def tokens(*texts: str, first: int = 2, attempt: int = 1) -> str:
    return "".join(frame(f"{attempt}-{first + i}", "token", text) for i, text in enumerate(texts))


class Body(httpx2.AsyncByteStream):
    """Pieces of a body; after them the connection breaks, unless it is whole."""

    def __init__(self, pieces: Iterable[str], *, whole: bool) -> None:
        self.pieces = pieces
        self.whole = whole

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece.encode()
        if not self.whole:
            raise httpx2.RemoteProtocolError("the peer closed the connection")


def stream(*pieces: str, whole: bool = True) -> httpx2.Response:
    headers = {"content-type": "text/event-stream; charset=utf-8", "x-run-id": RUN}
    return httpx2.Response(200, headers=headers, stream=Body(pieces, whole=whole))


def problem(status: int, detail: str, **more: Any) -> httpx2.Response:
    return httpx2.Response(status, json={"status": status, "detail": detail, **more})


class EventServer:
    """Answers requests in their order. `requests` are those that came."""

    def __init__(self, answers: Sequence[httpx2.Response | Exception]) -> None:
        self.answers = list(answers)
        self.requests: list[httpx2.Request] = []

    async def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            transport=httpx2.MockTransport(self.answer), base_url="http://gatehouse.test"
        )
