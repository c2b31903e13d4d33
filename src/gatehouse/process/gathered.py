"""Gathers what is written within one turn of the event loop: one system call in place of one a frame."""

import asyncio
from typing import Any


class Gathered:
    """An asyncio transport whose first write of a turn goes out at once, and the others with its end.

    A frame that is alone is never delayed, and those that are ready together leave together. What else a
    transport does is the transport's own.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._gathered: list[bytes] | None = None  # None: nothing was written in this turn

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send `data`, or gather it when something was sent in this turn."""
        if self._gathered is None:
            self._transport.write(data)
            self._gathered = []
            self._loop.call_soon(self._end_turn)
        else:
            self._gathered.append(data)

    def close(self) -> None:
        """Send what was gathered, and then close."""
        self._send()
        self._transport.close()

    def get_write_buffer_size(self) -> int:
        """Return the bytes that are not sent yet."""
        gathered = sum(map(len, self._gathered or ()))
        return self._transport.get_write_buffer_size() + gathered

    def _end_turn(self) -> None:
        self._send()
        self._gathered = None

    def _send(self) -> None:
        if self._gathered:
            data, self._gathered = b"".join(self._gathered), []
            if not self._transport.is_closing():  # by the other side, or cut
                self._transport.write(data)
