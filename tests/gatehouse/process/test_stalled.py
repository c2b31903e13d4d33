"""Clients that read nothing, on a real connection."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from waiting import until

from gatehouse.process import stalled
from gatehouse.process.protocol import BoundedHead

PIECE = b"x" * 65_536


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with more than a connection takes; give up on `/cut` when the reader is too slow."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(200):
        async with asyncio.timeout(0.3 if scope["path"] == "/cut" else None):
            await send({"type": "http.response.body", "body": PIECE, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[uvicorn.Server, int]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(application, http=BoundedHead, log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve([listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        yield server, listener.getsockname()[1]
        server.should_exit = True
        await task


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stalled, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(stalled, "CLOSING_SECONDS", 0.3)
    monkeypatch.setattr(stalled, "STALLED_SECONDS", 0.8)


@pytest.mark.parametrize("path", ["/cut", "/whole"])
async def test_a_client_that_reads_nothing_is_cut(path: str) -> None:
    async with serving() as (server, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(f"GET {path} HTTP/1.1\r\nhost: test\r\n\r\n".encode())
        await reader.readline()
        await until(lambda: not server.server_state.connections)
        taken = 0
        with contextlib.suppress(OSError):
            while piece := await reader.read(1_000_000):
                taken += len(piece)
        assert taken < 100 * len(PIECE)
        writer.close()


async def test_one_that_reads_slowly_is_not() -> None:
    async with serving() as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=65_536)
        writer.write(b"GET /whole HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")
        taken = 0
        while piece := await reader.read(400_000):
            taken += len(piece)
            await asyncio.sleep(0.05)  # in all longer than a client may take nothing
        assert taken > 200 * len(PIECE)
        writer.close()
