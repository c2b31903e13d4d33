"""uvicorn's WebSocket protocol: frames leave together, and those that come have limits."""

import asyncio
from typing import cast

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.protocol import State

from gatehouse.limits.token_bucket import TokenBucket
from gatehouse.process.gathered import Gathered
from gatehouse.process.stalled import CutWhenStalled

SLICE = 4096  # bytes that are parsed at a time, so that a flood is seen before all of it was worked on
BURST = 500
PER_SECOND = 50.0
SHORT, MEDIUM = 126, 65_536  # bytes from which a frame's length takes two more, or eight
BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class BoundedWebSocket(CutWhenStalled, WebSocketsSansIOProtocol):
    """A connection that sends frames without end is cut: messages, fragments, pings or pongs.

    The messages themselves are counted in `gatehouse.wires.websocket`, until it closes the socket. What comes
    after that, and pings and fragments, never get there; to read two million of them takes half a minute, in
    which nobody else is served. A handshake that cannot be read (a line over 8 KiB, more than 128 fields, a
    body) is answered with 400: else it would stay open for ever, whoever sent it.
    """

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]  # uvicorn's own
        self.frames_left = TokenBucket(BURST, PER_SECOND)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        gathered = Gathered(cast("asyncio.Transport", transport), self.loop)
        self.transport = cast("asyncio.Transport", gathered)

    def data_received(self, data: bytes) -> None:
        for at in range(0, len(data), SLICE):
            super().data_received(data[at : at + SLICE])
            if self.transport.is_closing():
                return
        if not self.handshake_initiated:  # it came whole: websockets does not answer what it cannot read
            self.transport.write(BAD_REQUEST)
            self.transport.close()

    async def send(self, message: ASGISendEvent) -> None:
        """Send a message; a text that can be sent at once without `websockets`, whose way is long."""
        text = message.get("text") if message["type"] == "websocket.send" else None
        if text is not None and self.takes_frames():
            self.transport.write(text_frame(text.encode()))
        else:
            await super().send(message)

    def takes_frames(self) -> bool:
        """Tell whether the connection is open, and has room, for a whole frame as it is."""
        connection = self.conn
        return (
            self.handshake_complete
            and not (self.close_sent or self.disconnected)
            and self.writable.is_set()
            and connection.state is State.OPEN
            and not (connection.extensions or connection.expect_continuation_frame)
        )

    def handle_text(self, event: Frame) -> None:
        if self.counts():
            super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        if self.counts():
            super().handle_bytes(event)

    def handle_cont(self, event: Frame) -> None:
        if self.counts():
            super().handle_cont(event)

    def handle_ping(self) -> None:
        if self.counts():
            super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        if self.counts():
            super().handle_pong(event)

    def counts(self) -> bool:
        """Count a frame; False when there were too many, and the connection is cut."""
        if self.frames_left.take():
            return True
        self.transport.abort()
        return False


def text_frame(text: bytes) -> bytes:
    """Return a server's frame of a whole text (RFC 6455 section 5.2)."""
    size = len(text)
    if size < SHORT:
        return b"\x81%c%b" % (size, text)
    if size < MEDIUM:
        return b"\x81\x7e%b%b" % (size.to_bytes(2), text)
    return b"\x81\x7f%b%b" % (size.to_bytes(8), text)
