"""The limits on a request's head, on a real connection."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from gatehouse.process import protocol
from gatehouse.process.protocol import MAX_FIELDS, MAX_HEAD, MAX_PARAMETERS, MAX_PIPELINED, BoundedHead
from gatehouse.process.websocket_protocol import BoundedWebSocket

ROOM = MAX_HEAD - 1000
LARGE = 20_000_000  # bytes: more than a connection takes before its client reads


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request with its path, its headers for `/headers`, a chunk each 0.1 s for `/slow`, much for `/large`; keep a WebSocket until it leaves."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
        return
    while (await receive())["more_body"]:
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/headers":
        await send({"type": "http.response.body", "body": repr(scope["headers"]).encode()})
        return
    if scope["path"] == "/large":
        await send({"type": "http.response.body", "body": b"-" * LARGE})
        return
    for _ in range(8 if scope["path"] == "/slow" else 0):
        await send({"type": "http.response.body", "body": b"chunk", "more_body": True})
        await asyncio.sleep(0.1)
    await send({"type": "http.response.body", "body": scope["path"].encode()})


@asynccontextmanager
async def connection() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Yield a connection to a server that speaks the protocol."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(
            application, http=BoundedHead, ws=BoundedWebSocket, log_config=None, lifespan="off"
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        try:
            yield reader, writer
        finally:
            writer.close()
            server.should_exit = True
            await serving


async def bytes_taken(writer: asyncio.StreamWriter, most: int, piece: bytes = b"a" * 16_384) -> int:
    """Return how much could be sent, the same piece again and again, before the other side hung up."""
    sent = 0
    with contextlib.suppress(OSError):
        while sent < most:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
            sent += len(piece)
    return sent


def request(path: str = "/", *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "host: test", *headers, "", ""]).encode()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a head 0.3 s."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)


class TestSize:
    async def test_a_large_head_is_served(self) -> None:
        async with connection() as (reader, writer):
            writer.write(request("/", f"x: {'a' * ROOM}"))
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")

    async def test_a_larger_one_is_431(self) -> None:
        async with connection() as (reader, writer):
            writer.write(request("/", *(f"x-{n}: {'a' * 1000}" for n in range(70))))
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
        assert answer.count(b"HTTP/1.1") == 1

    @pytest.mark.parametrize(("fields", "status"), [(MAX_FIELDS - 1, b"200"), (MAX_FIELDS, b"431")])
    async def test_so_is_one_of_many_fields(self, fields: int, status: bytes) -> None:
        async with connection() as (reader, writer):
            writer.write(request("/", *["a: b"] * fields))  # and the host
            assert (await reader.readline()).startswith(b"HTTP/1.1 " + status)

    async def test_so_is_a_long_address(self) -> None:
        async with connection() as (reader, writer):
            writer.write(request(f"/?{'a' * MAX_HEAD}"))
            assert (await reader.readline()).startswith(b"HTTP/1.1 431")

    @pytest.mark.parametrize(
        ("parameters", "status"), [(MAX_PARAMETERS, b"200"), (MAX_PARAMETERS + 1, b"431")]
    )
    async def test_so_is_an_address_of_many_parameters(self, parameters: int, status: bytes) -> None:
        async with connection() as (reader, writer):
            writer.write(request(f"/?{'&'.join(['a'] * parameters)}"))
            assert (await reader.readline()).startswith(b"HTTP/1.1 " + status)

    async def test_with_two_hosts_is_400(self) -> None:
        async with connection() as (reader, writer):
            writer.write(request("/", "host: elsewhere.example"))
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 400")
        assert answer.count(b"HTTP/1.1") == 1

    async def test_a_header_without_end_is_cut_when_it_is_too_large(self) -> None:
        async with connection() as (_, writer):
            writer.write(b"GET / HTTP/1.1\r\nx: ")
            assert await bytes_taken(writer, 64 * MAX_HEAD) < 64 * MAX_HEAD

    async def test_one_that_is_too_large_before_its_end_is_431(self) -> None:
        async with connection() as (reader, writer), asyncio.timeout(5):
            writer.write(request("/first") + request("/next")[:20])
            await reader.readuntil(b"/first")
            writer.write(b"x: " + b"a" * MAX_HEAD)
            await reader.readuntil(b"HTTP/1.1 431")

    async def test_is_refused_once_also_where_an_answer_before_it_was_not_read(self) -> None:
        async with connection() as (reader, writer), asyncio.timeout(10):
            writer.write(request("/large"))
            await reader.readline()
            writer.write(request("/", *["a: b"] * MAX_FIELDS))
            answers = await reader.read()
        assert answers.count(b"HTTP/1.1 431") == 1
        assert b"HTTP/1.1 400" not in answers

    async def test_what_came_before_it_on_its_connection_is_not_of_it(self) -> None:
        async with connection() as (reader, writer), asyncio.timeout(5):
            body = f"content-length: {2 * MAX_HEAD}"
            head = request("/next")
            writer.write(request("/first", body).replace(b"GET", b"POST") + b"a" * 2 * MAX_HEAD + head[:20])
            await reader.readuntil(b"/first")
            writer.write(head[20:])
            await reader.readuntil(b"/next")

    async def test_every_request_of_a_connection_has_the_whole_room(self) -> None:
        async with connection() as (reader, writer):
            for _ in range(3):
                writer.write(request("/again", f"x: {'a' * ROOM}"))
                assert b"/again" in await reader.readuntil(b"/again")

    async def test_what_is_no_http_is_400(self) -> None:
        async with connection() as (reader, writer):
            writer.write(b"\x16\x03\x01 nonsense\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 400")


def chunked(*rest: str, path: str = "/") -> bytes:
    """Return a request whose body has one chunk, and what follows it before the last CRLF."""
    head = [f"POST {path} HTTP/1.1", "host: test", "transfer-encoding: chunked", "", "5", "hello", "0"]
    return "\r\n".join([*head, *rest, "", ""]).encode()


class TestTrailers:
    async def test_are_read_over(self) -> None:
        async with connection() as (reader, writer):
            writer.write(chunked("x-after: 1", "x-more: 2") + request("/next"))
            answers = b""
            while b"/next" not in answers:
                answers += await asyncio.wait_for(reader.read(4096), 5)
            assert answers.count(b"HTTP/1.1 200") == 2

    @pytest.mark.parametrize("name", ["x-api-key", "authorization", "x-forwarded-for", "cookie", "x-after"])
    async def test_are_no_headers(self, name: str) -> None:
        async with connection() as (reader, writer):
            writer.write(chunked(f"{name}: in-a-trailer", path="/headers"))
            answer = b""
            while b"host" not in answer:
                answer += await asyncio.wait_for(reader.read(4096), 5)
            assert b"in-a-trailer" not in answer
            assert name.encode() not in answer

    @pytest.mark.parametrize(
        "begun", [b"0\r\nx: ", b"0\r\n", b"5;extension="], ids=["value", "name", "extension"]
    )
    async def test_of_any_length_are_cut(self, begun: bytes) -> None:
        async with connection() as (_, writer):
            head = b"POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"
            writer.write(head + begun)
            await writer.drain()
            assert await bytes_taken(writer, 40_000_000) < 20_000_000  # what the kernel buffers, and no more

    async def test_are_cut_whatever_was_sent_before_on_their_connection(self) -> None:
        async with connection() as (reader, writer):
            head = b"POST /first HTTP/1.1\r\nhost: test\r\n"
            writer.write(head + b"content-length: 2000000\r\n\r\n" + b"a" * 2_000_000)
            await reader.readuntil(b"/first")
            writer.write(head + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx: ")
            await writer.drain()
            assert await bytes_taken(writer, 40_000_000) < 20_000_000  # as above

    async def test_of_any_number_of_chunks_are_cut(self) -> None:
        async with connection() as (_, writer):
            writer.write(b"POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n")
            await writer.drain()
            chunk = b"1;" + b"a" * 16_000 + b"\r\na\r\n"
            assert await bytes_taken(writer, 40_000_000, chunk) < 20_000_000  # as above

    async def test_a_body_of_many_small_chunks_is_taken(self) -> None:
        async with connection() as (reader, writer):
            writer.write(b"POST /all HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n")
            for _ in range(40):
                writer.write(b"1;name=value\r\na\r\n" * 500)
                await writer.drain()
            writer.write(b"0\r\n\r\n")
            assert b"/all" in await asyncio.wait_for(reader.read(4096), 10)


class TestPipelining:
    async def test_requests_that_wait_are_answered_in_their_order(self) -> None:
        async with connection() as (reader, writer):
            writer.write(request("/slow") + b"".join(request(f"/{n}") for n in range(MAX_PIPELINED)))
            for path in ("slow", *range(MAX_PIPELINED)):
                await reader.readuntil(f"/{path}\r\n".encode())

    async def test_a_connection_on_which_more_of_them_wait_is_cut(self) -> None:
        async with connection() as (reader, writer):
            writer.write(request("/slow") + request("/next") * 5000)
            with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
                await reader.readuntil(b"/next")


UPGRADE = (
    "connection: upgrade",
    "upgrade: websocket",
    "sec-websocket-version: 13",
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
)


class TestHandshake:
    @pytest.mark.parametrize(
        "sent",
        [
            request("/", *UPGRADE, f"x: {'a' * 9000}"),
            request("/", *UPGRADE, *["x: a"] * 150),
            request("/" + "a" * 9000, *UPGRADE),
            request("/", *UPGRADE, "content-length: 3") + b"abc",
        ],
        ids=["a long field", "many fields", "a long address", "a body"],
    )
    async def test_that_cannot_be_read_is_answered_and_ends(self, sent: bytes) -> None:
        async with connection() as (reader, writer), asyncio.timeout(5):
            writer.write(sent)
            assert (await reader.read()).startswith(b"HTTP/1.1 400 ")


@pytest.mark.usefixtures("hurried")
class TestTime:
    @pytest.mark.parametrize("start", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nhost: te"])
    async def test_a_head_that_does_not_come_ends_the_connection(self, start: bytes) -> None:
        async with connection() as (reader, writer):
            began = time.monotonic()
            writer.write(start)
            assert await reader.read() == b""
            assert 0.2 < time.monotonic() - began < 2

    async def test_sending_a_little_now_and_then_does_not_prolong_it(self) -> None:
        async with connection() as (reader, writer):
            began = time.monotonic()
            ended = asyncio.create_task(reader.read())
            for byte in request("/", "x: " + "a" * 100):
                writer.write(bytes([byte]))
                if (await asyncio.wait([ended], timeout=0.05))[0]:
                    break
            assert time.monotonic() - began < 2
            ended.exception()

    async def test_bytes_that_begin_no_request_do_not_hold_an_idle_connection(self) -> None:
        async with connection() as (reader, writer):
            writer.write(request("/first"))
            await reader.readuntil(b"/first")
            writer.write(b"\r\n")
            async with asyncio.timeout(3):
                assert (await reader.read()).strip() in (b"", b"0")

    async def test_a_response_may_take_longer(self) -> None:
        async with connection() as (reader, writer):
            writer.write(request("/slow", "connection: close"))
            assert (await reader.read()).count(b"chunk\r\n") == 8

    async def test_so_may_a_body_and_a_websocket(self) -> None:
        async with connection() as (reader, writer):
            writer.write(b"POST / HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: 4\r\n\r\nab")
            await asyncio.sleep(0.6)
            writer.write(b"cd")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        async with connection() as (reader, writer):
            writer.write(request("/", *UPGRADE))
            await reader.readuntil(b"\r\n\r\n")
            with pytest.raises(TimeoutError):  # the server neither says anything nor hangs up
                async with asyncio.timeout(0.8):
                    await reader.read(1)

    async def test_a_second_request_has_its_own_time(self) -> None:
        async with connection() as (reader, writer):
            for _ in range(3):
                writer.write(request("/again"))
                await reader.readuntil(b"/again")
                await asyncio.sleep(0.2)
