"""A bound to what all connections of a caller together have this process hold."""

from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatehouse.limits.held_bytes import Holder
from gatehouse.limits.refusal import LimitReached
from gatehouse.web.request_state import state_of
from gatehouse.web.sending import send_problem

if TYPE_CHECKING:
    from gatehouse.services import Services

PIECE = 65_536  # bytes of an answer that are sent at a time; a smaller one is not counted


class BoundHeldBytes:
    """Counts a body while it is coming and a large answer until it is taken, and refuses one too many.

    Streams are not counted: each holds little, and there are at most `open_streams` of them. An answer is
    sent in pieces, since a server that is given all of it at once says that it is sent.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = Exchange(scope, receive, send)
        try:
            await self.app(scope, exchange.receive, exchange.send)
        except LimitReached as error:
            if not exchange.refused_body:
                raise
            await send_problem(error, scope, receive, send)
        finally:
            exchange.release()


class Exchange:
    """`receive` and `send` of one request, which count what is held for it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        services: Services = scope["state"]["services"]
        self._all = services.limits.held
        self._scope = scope
        self._receive = receive
        self._send = send
        self._holder = holder_of(scope)
        self._size = 0
        self._answering = False
        self._replaced = False
        self.refused_body = False

    async def receive(self) -> Message:
        """Receive, and count what is not the whole body yet. Raises LimitReached."""
        message = await self._receive()
        if message.get("more_body", False) and not self._answering:  # what comes after that is dropped
            try:
                self._hold(len(message["body"]))
            except LimitReached as error:
                self.refused_body = True
                error.headers["connection"] = "close"  # more of the body may come
                raise
        elif not self._answering:
            self.release()
        return message

    async def send(self, message: Message) -> None:
        """Send, a large answer in pieces; in place of one for which there is no room, that it is so."""
        if self._replaced:
            return
        if message["type"] == "http.response.start":
            await self._begin(message)
        elif message["type"] == "http.response.body" and len(message.get("body", b"")) > PIECE:
            await self._send_in_pieces(message["body"], more=message.get("more_body", False))
        else:
            await self._send(message)

    async def _begin(self, message: Message) -> None:
        self._answering = True
        length = next(
            (value for name, value in message.get("headers", ()) if name == b"content-length"), b"0"
        )
        if int(length) > PIECE:
            try:
                self._hold(int(length))
            except LimitReached as error:
                self._replaced = True
                await send_problem(error, self._scope, self._receive, self._send)
                return
        await self._send(message)

    async def _send_in_pieces(self, body: bytes, *, more: bool) -> None:
        for at in range(0, len(body), PIECE):
            piece = body[at : at + PIECE]
            more_body = more or at + PIECE < len(body)
            await self._send({"type": "http.response.body", "body": piece, "more_body": more_body})

    def _hold(self, size: int) -> None:
        self._all.hold(self._holder, size, self._size)
        self._size += size

    def release(self) -> None:
        """Hold nothing any more."""
        if self._size:
            self._all.release(self._holder, self._size)
            self._size = 0


def holder_of(scope: Scope) -> Holder:
    """Return for whom a request has something held."""
    if principal := state_of(scope).principal:
        return principal.tenant_id, principal.user_id
    client = scope.get("client")
    return "", client[0] if client else ""
