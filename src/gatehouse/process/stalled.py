"""Cuts connections whose client takes nothing of what is sent to it."""

import asyncio
import socket
import struct

LOOK_SECONDS = 2.0
CLOSING_SECONDS = 4.0  # that a client has for the rest when the connection is being closed
STALLED_SECONDS = 60.0  # that it may take nothing at all while somebody still writes


class CutWhenStalled:
    """Mixed into a protocol: aborts its transport when nothing of its buffer is taken.

    asyncio closes a transport when its buffer has been sent, and waits for that without end; so does
    whoever writes more than the buffer takes. Who streams has time limits of their own, which are shorter.
    """

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    _look_at: asyncio.TimerHandle | None = None
    _left = 0
    _since = 0.0

    def pause_writing(self) -> None:
        super().pause_writing()  # type: ignore[misc]  # of the protocol that it is mixed into
        if self._look_at is None:
            self._left = -1
            self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._look_at is not None:
            self._look_at.cancel()
            self._look_at = None
        super().connection_lost(exc)  # type: ignore[misc]  # as above

    def _look(self) -> None:
        left, now = self.transport.get_write_buffer_size(), self.loop.time()
        if left == 0:
            self._look_at = None
            return
        if left != self._left:
            self._left, self._since = left, now
        patience = CLOSING_SECONDS if self.transport.is_closing() else STALLED_SECONDS
        if now - self._since >= patience:
            self._look_at = None
            reset_at_close(self.transport)
            self.transport.abort()
        else:
            self._look_at = self.loop.call_later(LOOK_SECONDS, self._look)


def reset_at_close(transport: asyncio.Transport) -> None:
    """Have the system forget what it holds for the client: else it offers that for minutes yet."""
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
