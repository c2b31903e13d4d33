"""Requests that HTTP's parsers read differently (RFC 9112, sections 2.2, 5 and 6.3), on a real connection.

What is a body to a proxy and a request to the server behind it gets past whatever the proxy checks.
"""

import asyncio
import random
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from gatehouse.process.protocol import BoundedHead

HIDDEN = "GET /hidden HTTP/1.1\r\nhost: a\r\n\r\n"
SIZE = len(HIDDEN)


def post(*fields: str, body: str = HIDDEN) -> bytes:
    """Return a POST whose body is another request."""
    return "\r\n".join(["POST /asked HTTP/1.1", "host: a", *fields, "", body]).encode("latin-1")


CHUNKED = "transfer-encoding: chunked"
AMBIGUOUS = {
    "two lengths": post(f"content-length: {SIZE}", "content-length: 0"),
    "two lengths in one field": post(f"content-length: 0, {SIZE}"),
    "a length and chunks": post("content-length: 4", CHUNKED, body=f"0\r\n\r\n{HIDDEN}"),
    "chunks and a length": post(CHUNKED, "content-length: 4", body=f"0\r\n\r\n{HIDDEN}"),
    "a length with a sign": post("content-length: +0"),
    "a negative length": post("content-length: -1"),
    "a length in hex": post("content-length: 0x0"),
    "a length with a blank inside": post("content-length: 0 0"),
    "an underscore in a length": post("content-length: 0_0"),
    "a length beyond 64 bits": post("content-length: 18446744073709551616"),
    "blank before the colon": post("transfer-encoding : chunked", body=f"0\r\n\r\n{HIDDEN}"),
    "chunked that is not last": post("transfer-encoding: chunked, identity", body=f"0\r\n\r\n{HIDDEN}"),
    "another encoding": post("transfer-encoding: xchunked", body=f"0\r\n\r\n{HIDDEN}"),
    "an encoding with a control character": post("transfer-encoding: \x0bchunked", body=f"0\r\n\r\n{HIDDEN}"),
    "a folded field": post("x: 1", " transfer-encoding: chunked", f"content-length: {SIZE}"),
    "a NUL in a field": post("x: \x00", f"content-length: {SIZE}"),
    "a lone CR in a field": post("x: 1\rtransfer-encoding: chunked", f"content-length: {SIZE}"),
    "a chunk size with a sign": post(CHUNKED, body=f"+0\r\n\r\n{HIDDEN}"),
    "a chunk size in other digits": post(CHUNKED, body=f"0x0\r\n\r\n{HIDDEN}"),
    "a chunk size beyond 64 bits": post(CHUNKED, body=f"10000000000000000\r\n\r\n{HIDDEN}"),
    "a chunk longer than it says": post(CHUNKED, body=f"1\r\nab\r\n0\r\n\r\n{HIDDEN}"),
    "a chunk size without a digit": post(CHUNKED, body=f"\r\n\r\n{HIDDEN}"),
    "a chunk that ends in a lone LF": post(CHUNKED, body=f"1\na\n0\n\n{HIDDEN}"),
    "HTTP/1.0 with chunks": post(CHUNKED, body=f"0\r\n\r\n{HIDDEN}").replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    "a request line with a tab": b"GET\t/asked\tHTTP/1.1\r\nhost: a\r\n\r\n" + HIDDEN.encode(),
    "no version": b"GET /asked\r\n" + HIDDEN.encode(),
    "version 2": b"GET /asked HTTP/2.0\r\nhost: a\r\n\r\n" + HIDDEN.encode(),
}  # fmt: skip


@pytest.fixture
async def seen() -> AsyncIterator[tuple[list[str], int]]:
    """Yield which paths the application was asked for, and the server's port."""
    asked: list[str] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(scope["path"])
        while (message := await receive()).get("more_body"):
            pass
        if message["type"] == "http.request":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(
            uvicorn.Config(application, http=BoundedHead, log_config=None, lifespan="off")
        )
        serving = asyncio.create_task(server.serve([listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        yield asked, listener.getsockname()[1]
        server.should_exit = True
        await serving


async def answers(port: int, sent: bytes) -> bytes:
    """Send bytes and the end of them, and return what is answered until the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    writer.write_eof()
    try:
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize("sent", AMBIGUOUS.values(), ids=AMBIGUOUS)
async def test_what_is_hidden_in_an_ambiguous_request_is_not_asked(
    seen: tuple[list[str], int], sent: bytes
) -> None:
    asked, port = seen
    told = await answers(port, sent)
    assert "/hidden" not in asked
    assert b" 400 " in told or told.count(b"HTTP/1.1 ") <= 1


async def test_what_follows_a_clear_one_is_asked(seen: tuple[list[str], int]) -> None:
    asked, port = seen
    for clear in (post("content-length: 0"), post(CHUNKED, body=f"1\r\na\r\n0\r\n\r\n{HIDDEN}")):
        await answers(port, clear)
        assert asked == ["/asked", "/hidden"]
        asked.clear()


PIECES = (
    *("GET", "POST", " ", "\t", "/", "/hidden", "http://a/", "HTTP/1.1", "HTTP/1.0", "\r\n", "\n", "\r", ":"),
    *("host: a", "content-length: 3", "content-length: 0", CHUNKED, "connection: close", "upgrade: websocket"),
    *("expect: 100-continue", "3\r\nabc\r\n", "0\r\n\r\n", "abc", "\x00", "\xff", ";", "x" * 70_000, "\r\n\r\n"),
)  # fmt: skip


async def test_whatever_is_sent_is_answered_or_hung_up_on(seen: tuple[list[str], int]) -> None:
    asked, port = seen
    chance = random.Random("the grammar of requests")
    for _ in range(400):
        line = f"{chance.choice(PIECES[:2])} /asked HTTP/1.1\r\nhost: a\r\n" if chance.random() < 0.7 else ""
        sent = line + "".join(chance.choices(PIECES, k=chance.randint(1, 12)))
        told = await answers(port, sent.encode("latin-1"))
        assert told == b"" or told.startswith(b"HTTP/1.1 ")
        assert b" 500 " not in told
    asked.clear()
    assert (await answers(port, post("content-length: 0", body=""))).startswith(b"HTTP/1.1 200")
    assert asked == ["/asked"]
