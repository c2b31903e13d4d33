"""Server-sent events: sent in one task, kept alive while nothing comes, and ended with their reader."""

import asyncio
from collections.abc import AsyncGenerator, Callable

import pytest
from starlette.types import Message

from gatehouse.web.sending import ReaderStalled
from gatehouse.wires import event_stream
from gatehouse.wires.event_stream import EventStream

SECONDS = 5


class Connection:
    """An ASGI connection: what was sent, and a client that leaves when it is told to."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.leaves = asyncio.Event()

    async def receive(self) -> Message:
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def serve(self, response: EventStream) -> None:
        async with asyncio.timeout(SECONDS):
            await response({"type": "http"}, self.receive, self.send)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


class Frames:
    """Yields frames, the last after `when`, and remembers that it was closed."""

    def __init__(self) -> None:
        self.closed = False

    async def of(self, *frames: bytes, when: Callable[[], bool] | None = None) -> AsyncGenerator[bytes]:
        try:
            for frame in frames:
                yield frame
            while when is not None and not when():
                await asyncio.sleep(0.001)
        finally:
            self.closed = True


class Clock:
    """The event loop's, which a test moves on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        self.ahead, real = 0.0, loop.time
        monkeypatch.setattr(loop, "time", lambda: real() + self.ahead)

    async def on(self, seconds: float, until: Callable[[], bool]) -> None:
        """Let so many seconds pass, and return when something is so."""
        self.ahead += seconds
        async with asyncio.timeout(SECONDS):
            while not until():
                await asyncio.sleep(0.001)


def never() -> bool:
    return False


class TestEventStream:
    async def test_each_frame_is_a_message_of_its_own(self) -> None:
        connection = Connection()
        await connection.serve(EventStream(Frames().of(b"a", b"b"), 1))
        head, *parts = connection.sent
        assert head["status"] == 200
        assert (b"content-type", b"text/event-stream; charset=utf-8") in head["headers"]
        assert (b"x-accel-buffering", b"no") in head["headers"]
        assert [(part["body"], part["more_body"]) for part in parts] == [
            (b"a", True), (b"b", True), (b"", False),
        ]  # fmt: skip

    async def test_a_client_that_leaves_closes_the_frames(self) -> None:
        connection, frames = Connection(), Frames()
        serving = asyncio.create_task(connection.serve(EventStream(frames.of(b"a", when=never), 1)))
        while connection.body != b"a":
            await asyncio.sleep(0)
        connection.leaves.set()
        await serving
        assert frames.closed
        assert connection.sent[-1]["more_body"]

    async def test_a_client_that_takes_nothing_is_cut(self) -> None:
        connection, frames = Connection(), Frames()

        async def stalls(message: Message) -> None:
            connection.sent.append(message)
            if message.get("body"):
                await asyncio.Event().wait()

        response = EventStream(frames.of(b"a", when=never), send_timeout=0.05)
        with pytest.raises(ReaderStalled):
            async with asyncio.timeout(SECONDS):
                await response({"type": "http"}, connection.receive, stalls)
        assert frames.closed

    @pytest.mark.requirement("wires.heartbeats")
    async def test_a_silent_stream_is_kept_alive_by_comments(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 0.02)
        connection = Connection()

        def two_came() -> bool:
            return connection.body.count(b": ping - ") >= 2

        await connection.serve(EventStream(Frames().of(b"a", when=two_came), 1))
        comments = [part["body"] for part in connection.sent[2:-1]]
        assert all(comment.endswith(b"\n\n") for comment in comments)

    async def test_one_that_is_not_silent_has_no_comments(self, monkeypatch: pytest.MonkeyPatch) -> None:
        connection, clock, looked = Connection(), Clock(monkeypatch), asyncio.Event()
        more: asyncio.Queue[bytes] = asyncio.Queue()

        async def frames() -> AsyncGenerator[bytes]:
            while True:
                yield await more.get()

        response = EventStream(frames(), send_timeout=100)
        serving = asyncio.create_task(response({"type": "http"}, connection.receive, connection.send))
        await clock.on(0, lambda: bool(connection.sent))
        more.put_nowait(b"a")
        await clock.on(event_stream.HEARTBEAT_SECONDS / 2, lambda: connection.body == b"a")
        asyncio.get_running_loop().call_later(event_stream.HEARTBEAT_SECONDS / 2 + 1, looked.set)
        await clock.on(event_stream.HEARTBEAT_SECONDS / 2 + 1, looked.is_set)
        await asyncio.sleep(0.01)  # in which a comment would be sent
        assert connection.body == b"a"
        serving.cancel()
        await asyncio.wait({serving})

    async def test_a_frame_gives_a_client_that_takes_no_comment_no_more_time(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connection, clock, more = Connection(), Clock(monkeypatch), asyncio.Event()

        async def stalls(message: Message) -> None:
            connection.sent.append(message)
            if message.get("body"):
                await asyncio.Event().wait()

        async def late() -> AsyncGenerator[bytes]:
            await more.wait()
            yield b"a"

        response = EventStream(late(), send_timeout=100)
        serving = asyncio.create_task(response({"type": "http"}, connection.receive, stalls))
        await clock.on(0, lambda: bool(connection.sent))
        await clock.on(event_stream.HEARTBEAT_SECONDS, lambda: b": ping" in connection.body)
        more.set()
        await clock.on(60, lambda: connection.body.endswith(b"a"))
        await clock.on(60, serving.done)
        with pytest.raises(ReaderStalled):
            await serving

    async def test_who_cancels_the_request_cancels_it(self) -> None:
        connection, frames = Connection(), Frames()
        serving = asyncio.create_task(connection.serve(EventStream(frames.of(b"a", when=never), 1)))
        while connection.body != b"a":
            await asyncio.sleep(0)
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        assert frames.closed

    async def test_who_cancels_the_request_at_its_end_cancels_it(self) -> None:
        """The stream itself has just begun to end it."""

        async def cut() -> AsyncGenerator[bytes]:
            frames = asyncio.current_task()
            assert frames is not None
            frames.add_done_callback(lambda _: serving.cancel())
            yield b"a"

        serving = asyncio.create_task(Connection().serve(EventStream(cut(), 1)))
        with pytest.raises(asyncio.CancelledError):
            await serving

    async def test_what_the_frames_raise_is_raised(self) -> None:
        async def broken() -> AsyncGenerator[bytes]:
            yield b"a"
            raise ZeroDivisionError

        connection = Connection()
        with pytest.raises(ZeroDivisionError):
            await connection.serve(EventStream(broken(), 1))
        assert connection.sent[-1]["more_body"]
