"""A bound to the size of every request's body, and to how long it takes."""

import asyncio
import contextlib
from collections.abc import Mapping
from types import MappingProxyType

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatehouse.problems.errors import PayloadTooLarge, RequestTimeout
from gatehouse.web.paths import Operation
from gatehouse.web.sending import send_problem

LINGER_SECONDS = 2
LENGTH_DIGITS = 18  # of a Content-Length; int() raises for thousands of them


class BodyLimit:
    """Reads the request body before the application does: bounded in size and in time.

    A body over `max_bytes` is 413, with and without Content-Length; `larger` are the operations, by method
    and path, that take more, and how much. One that takes longer than
    `timeout` seconds is 408, so that a slow sender holds nothing but its own connection.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_bytes: int,
        timeout: float,
        larger: Mapping[Operation, int] = MappingProxyType({}),
    ) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.larger = larger
        self.timeout = timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self.timeout):
                body = await self.read(scope, receive)
        except TimeoutError:
            await send_problem(RequestTimeout(headers={"connection": "close"}), scope, receive, send)
            return
        except PayloadTooLarge as error:
            unread = "connection" in error.headers
            await send_problem(error, scope, receive, lingering(receive, send) if unread else send)
            return
        if body is None:
            return
        await self.app(scope, with_body(body, receive), send)

    async def read(self, scope: Scope, receive: Receive) -> bytes | None:
        """Return the whole body, or None when the client went away. Raises PayloadTooLarge."""
        most = self.larger.get((scope["method"], scope["path"]), self.max_bytes)
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if announced.isdigit() and (len(announced) > LENGTH_DIGITS or int(announced) > most):
            raise self.too_large(most, unread=True)
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > most:
                raise self.too_large(most, unread=message.get("more_body", False))
            if not message.get("more_body", False):
                return b"".join(parts)

    def too_large(self, most: int, *, unread: bool) -> PayloadTooLarge:
        # a connection on which more of the body may come cannot be used again
        headers = {"connection": "close"} if unread else {}
        return PayloadTooLarge(f"The request body may have {most} bytes.", headers=headers)


def with_body(body: bytes, receive: Receive) -> Receive:
    """Return `receive`, with a body before it that was read already."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return pending.pop() if pending else await receive()

    return receive_again


def lingering(receive: Receive, send: Send) -> Send:
    """Return `send`, which after the body takes in for 2 s what the client is still sending.

    A connection that is closed before that is reset, and the client that was sending loses the answer.
    """

    async def send_and_linger(message: Message) -> None:
        if message["type"] != "http.response.body":
            await send(message)
            return
        await send({**message, "more_body": True})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while (await receive()).get("more_body", False):
                    pass
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return send_and_linger
