"""A TCP proxy on loopback whose connections a test can cut, as a dying replica or a bad line does."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager

CHUNK = 65_536
END_SECONDS = 5


class CuttingProxy:
    """Passes bytes on to 127.0.0.1:`target`, until it is told to cut, or to refuse from then on."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.accepted = 0
        self.refusing = False
        self.open: set[asyncio.StreamWriter] = set()
        self.loop = asyncio.new_event_loop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Break all connections now; new ones are passed on."""
        self.loop.call_soon_threadsafe(self._abort)

    def refuse(self) -> None:
        """Break all connections now, and every new one."""
        self.refusing = True
        self.cut()

    def _abort(self) -> None:
        for writer in self.open:
            writer.transport.abort()

    async def serve(self, ready: threading.Event, stop: asyncio.Event) -> None:
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        server.close()
        self._abort()
        if passing := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(passing, timeout=END_SECONDS)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self.refusing:
            writer.transport.abort()
            return
        try:
            upstream, onwards = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self.open |= {writer, onwards}
        await asyncio.gather(pump(reader, onwards), pump(upstream, writer))
        self.open -= {writer, onwards}


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
    writer.close()


@contextmanager
def cutting_proxy(target: int) -> Iterator[CuttingProxy]:
    """Yield a proxy to a port of 127.0.0.1, in a thread of its own."""
    proxy, ready, stop = CuttingProxy(target), threading.Event(), asyncio.Event()
    thread = threading.Thread(target=proxy.loop.run_until_complete, args=(proxy.serve(ready, stop),))
    thread.start()
    assert ready.wait(10)
    try:
        yield proxy
    finally:
        proxy.loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        proxy.loop.close()
