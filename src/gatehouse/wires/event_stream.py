"""A response of server-sent events, sent in the request's own task.

sse-starlette's has four tasks beside it, and a cancel scope for every frame.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Literal, Self

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gatehouse.web.sending import ReaderStalled
from gatehouse.wires.leaving import left

HEARTBEAT_SECONDS = 15.0  # between comments, which every client ignores and no proxy takes for silence
HEADERS = {"cache-control": "no-store", "connection": "keep-alive", "x-accel-buffering": "no"}


class EventStream(Response):
    """Sends each of `frames` with one write. A reader that takes nothing for `send_timeout` s is cut.

    `frames` is closed however the stream ends.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        frames: AsyncGenerator[bytes],
        send_timeout: float,
        headers: Mapping[str, str] | None = None,
        status_code: int = 200,  # FastAPI documents this default
    ) -> None:
        self.status_code = status_code
        self.background = None
        self.frames = frames
        self.send_timeout = send_timeout
        self.init_headers({**(headers or {}), **HEADERS})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # ASGI's signature
        """Raises ReaderStalled when the reader was cut, and what `frames` raises."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        with Sending(send, self.send_timeout) as sending:
            leaving = asyncio.create_task(left(receive), name="reader leaves")
            leaving.add_done_callback(sending.reader_left)
            try:
                async with aclosing(self.frames) as frames:
                    async for frame in frames:
                        await sending.put(frame)
            finally:
                leaving.remove_done_callback(sending.reader_left)
                leaving.cancel()
            await sending.end()


class Sending:
    """Sends the body of one response in the current task, and a comment when nothing was sent for a while.

    When the reader has left, or takes nothing, the task is cancelled and the context ends: without a word in
    the one case, with ReaderStalled in the other.
    """

    def __init__(self, send: Send, send_timeout: float) -> None:
        self._send = send
        self._send_timeout = send_timeout
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._why: Literal["", "left", "stalled"] = ""
        self._sent_at = self._loop.time()
        self._waits_since: float | None = None  # for the reader to take what is being sent
        self._heartbeat: asyncio.Task[None] | None = None
        self._timer = self._look_after(HEARTBEAT_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        self._rest()
        if not self._why or not isinstance(error, asyncio.CancelledError):
            return False
        if self._task is not None and self._task.uncancel() > 0:  # somebody else wants it to end, too
            return False
        if self._why == "stalled":
            raise ReaderStalled from None
        return True

    async def put(self, body: bytes) -> None:
        """Send a part of the body. Returns when the connection has room for another."""
        self._waits_since = self._waits_since or self._loop.time()
        await self._send({"type": "http.response.body", "body": body, "more_body": True})
        self._sent_at, self._waits_since = self._loop.time(), None

    async def end(self) -> None:
        """Send the end of the body."""
        self._rest()
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def reader_left(self, _leaving: object) -> None:
        """End the task: nobody reads any more."""
        self._stop("left")

    def _stop(self, why: Literal["left", "stalled"]) -> None:
        if not self._why and self._task is not None:
            self._why = why
            self._task.cancel()

    def _rest(self) -> None:
        self._timer.cancel()
        if self._heartbeat is not None:
            self._heartbeat.cancel()

    def _look_after(self, seconds: float) -> asyncio.TimerHandle:
        # a timer that looks now and then costs less than one a frame; what is sent next may have to wait
        return self._loop.call_later(min(seconds, self._send_timeout), self._look)

    def _look(self) -> None:
        now = self._loop.time()
        if self._waits_since is not None:
            left = self._waits_since + self._send_timeout - now
            if left <= 0:
                self._stop("stalled")
                return
        else:
            left = self._sent_at + HEARTBEAT_SECONDS - now
            if left <= 0:
                left = HEARTBEAT_SECONDS
                self._heartbeat = self._loop.create_task(self.put(comment()))
        self._timer = self._look_after(left)


def comment() -> bytes:
    return f": ping - {datetime.now(UTC)}\n\n".encode()
