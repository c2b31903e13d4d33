"""Requests that are answered in one piece, whose client leaves or stays."""

import asyncio
from typing import Any

import pytest
from starlette.requests import Request
from starlette.types import Message

from gatehouse.wires.leaving import ClientLeft, while_connected


def request_of(receive: Any) -> Request:
    return Request({"type": "http"}, receive)


async def left() -> Message:
    return {"type": "http.disconnect"}


async def endless() -> None:
    await asyncio.Event().wait()


class TestWhileConnected:
    async def test_ends_the_work_of_a_client_that_has_left(self) -> None:
        asking = asyncio.create_task(while_connected(request_of(left), endless()))
        with pytest.raises(ClientLeft):
            await asking
        assert asking.cancelling() == 0

    async def test_obeys_who_cancels_it_though_the_client_leaves_too(self) -> None:
        async def left_as_the_server_ends() -> Message:
            asyncio.get_running_loop().call_soon(asking.cancel)
            return await left()

        asking = asyncio.create_task(while_connected(request_of(left_as_the_server_ends), endless()))
        with pytest.raises(asyncio.CancelledError):
            await asking

    async def test_returns_what_comes_before_the_client_leaves(self) -> None:
        async def answer() -> int:
            return 42

        assert await while_connected(request_of(left), answer()) == 42
