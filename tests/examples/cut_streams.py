"""A proxy on loopback that breaks connections off: what a bad network does to a stream."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

STREAMS = (b"text/event-stream", b"101 Switching Protocols")
CUT_AFTER = 600  # bytes of a stream: some tokens, also where a WebSocket compresses them


@dataclass
class CuttingProxy:
    """Cuts the first `cuts` connections on which an answer comes; `made` counts them."""

    target: int
    cuts: int
    made: int = 0
    url: str = field(default="", init=False)
    _connections: set["asyncio.Task[None]"] = field(default_factory=set, init=False)

    async def serve(self, listener: socket.socket, over: asyncio.Event) -> None:
        async with await asyncio.start_server(self._pass_on, sock=listener):
            await over.wait()
            for connection in self._connections:
                connection.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection
        self._connections.add(connection)
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        upwards = asyncio.create_task(copied(reader, back))
        try:
            await self._cut(there, writer)
        except (OSError, asyncio.CancelledError):
            pass  # whoever left, the other one is told
        finally:
            upwards.cancel()
            back.transport.abort()
            writer.transport.abort()
            await asyncio.sleep(0)  # in which the transports close
            self._connections.discard(connection)

    async def _cut(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, said = b"", 0
        while data := await reader.read(200):
            if any(stream in head for stream in STREAMS):
                said += len(data)
            else:
                head += data
            if said > CUT_AFTER and self.made < self.cuts:
                self.made += 1
                return
            writer.write(data)
            await writer.drain()


async def copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


@contextmanager
def cutting_proxy(port: int, cuts: int) -> Iterator[CuttingProxy]:
    """Yield a proxy for the server at `port`, and end it afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as listener, asyncio.Runner() as runner:
        proxy = CuttingProxy(port, cuts)
        proxy.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        over, loop = asyncio.Event(), runner.get_loop()
        thread = threading.Thread(target=runner.run, args=(proxy.serve(listener, over),))
        thread.start()
        try:
            yield proxy
        finally:
            loop.call_soon_threadsafe(over.set)
            thread.join()
