"""A loopback web server that publishes what an issuer does, and misbehaves as it is told."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())


class Publisher:
    """What answers each path, and the paths that were asked for."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.answers: dict[str, Answer] = {}
        self.requests: list[str] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split()[1].decode()
            self.requests.append(path)
            await self.answers.get(path, text("nothing here", 404))(writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def publishing() -> AsyncIterator[Publisher]:
    """Yield a publisher that answers 404 so far."""
    publishers: list[Publisher] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        with contextlib.suppress(asyncio.CancelledError):
            await publishers[0].handle(reader, writer)

    tasks: set[Any] = set()
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    publishers.append(Publisher(server.sockets[0].getsockname()[1]))
    try:
        yield publishers[0]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # the connections close


def text(body: str | bytes, status: int = 200, **headers: str) -> Answer:
    content = body.encode() if isinstance(body, str) else body

    async def answer(writer: asyncio.StreamWriter) -> None:
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        head = f"HTTP/1.1 {status} X\r\ncontent-length: {len(content)}\r\nconnection: close\r\n{lines}\r\n"
        writer.write(head.encode() + content)
        await writer.drain()

    return answer


def document(content: Mapping[str, Any], **headers: Any) -> Answer:
    return text(json.dumps(content), **headers)


def keys(**by_kid: Any) -> dict[str, Any]:
    """Return the JWKS of these private keys."""
    return {"keys": [jwk(key, kid) for kid, key in by_kid.items()]}


def jwk(key: Any, kid: str) -> dict[str, Any]:
    public = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**public, "kid": kid, "use": "sig"}


async def silence(writer: asyncio.StreamWriter) -> None:
    """Accept the request and never answer."""
    await asyncio.sleep(3600)


async def drip(writer: asyncio.StreamWriter) -> None:
    """Answer a byte at a time, so that no wait for the next one is long."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


class Flood:
    """Answers with a gigabyte; `sent` is how much of it was taken."""

    def __init__(self, head: bytes = b"content-length: 1073741824\r\n") -> None:
        self.head = head
        self.sent = 0

    async def __call__(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n" + self.head + b"\r\n")
        while self.sent < 1 << 30:
            writer.write(b" " * 65_536)
            await writer.drain()
            self.sent += 65_536


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
