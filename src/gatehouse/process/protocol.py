"""uvicorn's HTTP protocol, with the limits on a request's head and trailers that it lacks."""

import asyncio

from httptools import HttpParserError
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gatehouse.process.stalled import CutWhenStalled

MAX_HEAD = 65_536  # bytes of request line and headers
MAX_FIELDS = 200  # of a head: each costs far more memory than its few bytes
MAX_PARAMETERS = 200  # of an address: to read 30,000 takes longer than most answers
MAX_PIPELINED = 50  # requests that wait for the answer to one before them
MAX_BESIDE = 65_536  # bytes of a chunked body that are not its content,
BESIDE_A_BYTE = 32  # and so many more for each byte of that: a chunk may be small
HEAD_SECONDS = 20.0  # within which they must arrive
TOO_LARGE = 431  # RFC 6585 section 5


class BoundedHead(CutWhenStalled, HttpToolsProtocol):
    """A connection whose head has more than `MAX_HEAD`, `MAX_FIELDS` or `MAX_PARAMETERS` gets a 431.

    A slow one is closed. httptools itself buffers a header of any length, and a connection that never sends
    one stays open. The body is bounded in `gatehouse.web.middleware.BodyLimit`. What a chunked message has
    beside it (trailer fields, the extensions of chunks) no application sees: trailers are dropped (RFC 9110
    section 6.5.1), since a header among them would count as one of the head, and a connection that sends more
    than `MAX_BESIDE` of it is cut. So is one that sends requests without waiting for answers: thousands of
    them arrive at once, and each is made ready as it arrives.
    """

    deadline: asyncio.TimerHandle | None = None
    in_head = False
    in_body = False
    received = 0  # bytes since the chunk in which the head began
    after_head = 0  # bytes, since the chunk in which the head ended
    content = 0  # bytes of the body

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self.stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        self.after_head += len(data)
        super().data_received(data)
        if self.transport.get_protocol() is not self:
            # A WebSocket has the connection now, for as long as it likes. This protocol and its parser hold
            # each other; uvicorn parts them only when a connection is lost to it.
            self.parser = None  # type: ignore[assignment]
            return
        if self.in_head and self.received > MAX_HEAD:
            self.refuse_head()
        elif self.in_body and self.after_head > MAX_BESIDE + (1 + BESIDE_A_BYTE) * self.content:
            self.transport.abort()
        elif self.is_idle():  # bytes that begin no request have ended uvicorn's keep-alive timeout
            self.await_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.in_head, self.in_body = True, False
        self.received = 0
        self.await_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.in_head:
            return
        if len(self.headers) == MAX_FIELDS:
            self.refuse_head()
            raise HttpParserError("the head has too many fields")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self.in_head, self.in_body = False, True
        self.after_head = self.content = 0
        self.stop_waiting()
        if sum(name == b"host" for name, _ in self.headers) > 1:
            raise HttpParserError("two hosts")  # RFC 9112 section 3.2: 400
        if self.url.count(b"&") >= MAX_PARAMETERS:
            self.refuse_head()
            raise HttpParserError("the address has too many parameters")
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MAX_HEAD:
            self.refuse_head()
            raise HttpParserError("the head is too large")
        if len(self.pipeline) == MAX_PIPELINED:
            self.transport.abort()
            raise HttpParserError("too many requests wait")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self.content += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self.in_body = False
        super().on_message_complete()

    def is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def await_head(self) -> None:
        if self.deadline is None and not self.transport.is_closing():
            self.deadline = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def stop_waiting(self) -> None:
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None

    def refuse_head(self) -> None:
        self.transport.write(STATUS_LINE[TOO_LARGE] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()

    def send_400_response(self, msg: str) -> None:
        if not self.transport.is_closing():
            super().send_400_response(msg)
