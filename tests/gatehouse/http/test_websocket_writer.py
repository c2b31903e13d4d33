"""The writer against ASGI servers that are slow or gone."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketState

from gatehouse.web.request_state import KEY, RequestState
from gatehouse.web.server_send import ServerSend
from gatehouse.wires.websocket.writer import Leave, Writer

Send = Callable[[Message], Awaitable[None]]


def writer(send: Send) -> Writer:
    """Return the writer of an accepted socket whose server sends like this."""

    async def receive() -> Message:
        raise NotImplementedError

    websocket = WebSocket({"type": "websocket", "state": {KEY: RequestState("1")}}, receive, send)
    websocket.client_state = websocket.application_state = WebSocketState.CONNECTED
    return Writer(websocket, ServerSend(websocket.send))


async def gone(_: Message) -> None:
    raise OSError


async def stuck(_: Message) -> None:
    await asyncio.Event().wait()


class TestSend:
    async def test_leaves_without_a_code_when_the_client_is_gone(self) -> None:
        writes = writer(gone)
        for _ in range(2):  # the second finds a socket that is known to be gone
            with pytest.raises(Leave) as left:
                await writes.send("{}")
            assert left.value.code is None

    async def test_lets_one_frame_out_at_a_time_in_the_order_of_asking(self) -> None:
        sent: list[str] = []

        async def slow(message: Message) -> None:
            sent.append(f"begin {message['text']}")
            await asyncio.sleep(0.01)
            sent.append(f"end {message['text']}")

        writes = writer(slow)
        await asyncio.gather(*(writes.send(str(n)) for n in range(3)))
        assert sent == ["begin 0", "end 0", "begin 1", "end 1", "begin 2", "end 2"]


class TestWaiting:
    async def test_lasts_while_a_frame_is_not_taken(self) -> None:
        writes = writer(stuck)
        assert writes.waiting_seconds() == 0
        sending = asyncio.create_task(writes.send("{}"))
        await asyncio.sleep(0.05)
        assert 0.04 < writes.waiting_seconds() < 5
        sending.cancel()
        await asyncio.wait([sending])
        assert writes.waiting_seconds() == 0

    async def test_begins_anew_with_each_frame(self) -> None:
        taken = asyncio.Semaphore(0)

        async def slow(_: Message) -> None:
            await taken.acquire()

        writes = writer(slow)
        sending = asyncio.gather(writes.send("1"), writes.send("2"))
        await asyncio.sleep(0.1)
        first = writes.waiting_seconds()
        taken.release()
        for _ in range(5):
            await asyncio.sleep(0)
        assert 0 < writes.waiting_seconds() < first
        taken.release()
        await sending


class TestClose:
    async def test_gives_up_on_a_reader_that_takes_nothing(self) -> None:
        async with asyncio.timeout(3):
            await writer(stuck).close(Leave(4408))

    async def test_minds_nothing_when_the_client_is_gone(self) -> None:
        await writer(gone).close(Leave(4401))

    async def test_sends_nothing_to_a_client_that_left(self) -> None:
        sent: list[Message] = []

        async def keep(message: Message) -> None:
            sent.append(message)

        await writer(keep).close(Leave())
        assert sent == []


class TestTelling:
    async def test_lets_the_end_of_the_socket_through(self) -> None:
        with pytest.raises(Leave):
            async with writer(gone).telling():
                raise Leave(4408)
