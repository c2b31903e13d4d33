"""A response of server-sent events.

Its frames are sent in a task of their own, and the request's own waits for the client to leave. What wakes up
for a token is then the frames' generators alone, and not thirty coroutines of the layers around the route.
sse-starlette's response has four tasks, and a cancel scope for every frame.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Self

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gatehouse.web.middleware.held_bytes import PIECE
from gatehouse.web.sending import ReaderStalled
from gatehouse.web.server_send import ServerSend
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
        begin = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        parts = ServerSend(send)
        await send(parts.begins(begin))
        with Sending(send, parts, self.send_timeout) as sending:
            work = asyncio.create_task(sending.all_of(self.frames), name="frames")
            work.add_done_callback(sending.ended)
            try:
                await left(receive)
            finally:
                sending.close()
                work.cancel()
                await asyncio.wait([work])
            if not work.cancelled():
                work.result()


class Sending:
    """Sends the body of one response, and a comment when nothing was sent for a while.

    The task that made it waits in its context meanwhile, and is cancelled there when all was sent, when that
    fails, or when the reader takes nothing: the context ends without a word, with what was raised, or with
    ReaderStalled.
    """

    def __init__(self, send: Send, parts: ServerSend, send_timeout: float) -> None:
        self._send = send
        self._parts = parts
        self._send_timeout = send_timeout
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._open = True
        self._cancelled = False
        self._why: BaseException | None = None
        self._sent_at = self._loop.time()
        self._waits_since: float | None = None  # for the reader to take what is being sent
        self._heartbeat: asyncio.Task[None] | None = None
        self._timer = self._look_after(HEARTBEAT_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        self.close()
        if not self._cancelled or not isinstance(error, asyncio.CancelledError):
            return False
        if self._task is not None and self._task.uncancel() > 0:  # somebody else wants it to end, too
            return False
        if self._why is not None:
            raise self._why from None
        return True

    def close(self) -> None:
        """Send no comment any more, and cancel nobody."""
        self._open = False
        self._rest()

    async def all_of(self, frames: AsyncGenerator[bytes]) -> None:
        """Send each of the frames, and the body's end."""
        async with aclosing(frames):
            async for frame in frames:
                await self.put(frame)
        self._rest()
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def put(self, body: bytes) -> None:
        """Send a part of the body. Returns when the connection has room for another."""
        if self._waits_since is None:
            self._waits_since = self._loop.time()
        send = self._send if len(body) > PIECE else self._parts.send
        await send({"type": "http.response.body", "body": body, "more_body": True})
        self._sent_at, self._waits_since = self._loop.time(), None

    def ended(self, work: "asyncio.Task[None]") -> None:
        """End the context: all was sent, or it failed."""
        self._stop(None if work.cancelled() else work.exception())

    def _stop(self, why: BaseException | None) -> None:
        if self._open and not self._cancelled and self._task is not None:
            self._cancelled, self._why = True, why
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
                self._stop(ReaderStalled())
                return
        else:
            left = self._sent_at + HEARTBEAT_SECONDS - now
            if left <= 0:
                left = HEARTBEAT_SECONDS
                self._heartbeat = self._loop.create_task(self.put(comment()))
        self._timer = self._look_after(left)


def comment() -> bytes:
    return f": ping - {datetime.now(UTC)}\n\n".encode()
