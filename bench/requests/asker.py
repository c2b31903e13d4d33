"""The load: connections that stay open and ask again as soon as they are answered."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

from bench.requests.targets import Target

LINE_END = b"\r\n"
BLANK = LINE_END * 2


class BadAnswer(Exception):
    """The server answered with something else than a 200 and all of its body."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks one target at one port."""

    target: Target
    port: int
    headers: Mapping[str, str]

    async def keep_asking(self, clients: int, seconds: float) -> int:
        """Return how many answers `clients` connections got in so many seconds. Raises BadAnswer, OSError."""
        until = time.perf_counter() + seconds
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._one(until)) for _ in range(clients)]
        return sum(task.result() for task in tasks)

    async def ask(self, count: int) -> None:
        """Ask so often, one after the other. Raises BadAnswer, OSError."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for _ in range(count):
                await self._answered(reader, writer)
        finally:
            writer.close()

    async def _one(self, until: float) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        answers = 0
        try:
            while time.perf_counter() < until:
                await self._answered(reader, writer)
                answers += 1
        finally:
            writer.close()
        return answers

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self.target.asking(self.headers))
        async with asyncio.timeout(60):
            head = await reader.readuntil(BLANK)
            if not head.startswith(b"HTTP/1.1 200 "):
                raise BadAnswer(f"{self.target.name}: {head[:300]!r}")
            if b"transfer-encoding: chunked" in head:
                await read_chunks(reader)
            else:
                await reader.readexactly(content_length(head))


async def read_chunks(reader: asyncio.StreamReader) -> None:
    """Read a streamed body up to its end."""
    while (size := int(await reader.readline(), 16)) > 0:
        await reader.readexactly(size + len(LINE_END))
    await reader.readexactly(len(LINE_END))


def content_length(head: bytes) -> int:
    """Return how long the body is. Raises BadAnswer."""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise BadAnswer(f"no content-length: {head[:300]!r}")
