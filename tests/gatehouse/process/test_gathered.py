"""Frames that are ready together leave in one write, and none waits for another."""

import asyncio

from gatehouse.process.gathered import Gathered


class Wire(asyncio.Transport):
    """A transport that keeps what is done to it."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[bytes | str] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.done.append(bytes(data))

    def close(self) -> None:
        self.done.append("close")

    def abort(self) -> None:
        self.done.append("abort")

    def is_closing(self) -> bool:
        return "close" in self.done

    def get_write_buffer_size(self) -> int:
        return 100


def gathering() -> tuple[Gathered, Wire]:
    wire = Wire()
    return Gathered(wire, asyncio.get_running_loop()), wire


async def test_sends_the_first_at_once_and_the_others_together() -> None:
    gathered, wire = gathering()
    for data in (b"a", b"b", b"c"):
        gathered.write(data)
    assert wire.done == [b"a"]
    assert gathered.get_write_buffer_size() == 102
    await asyncio.sleep(0)
    assert wire.done == [b"a", b"bc"]
    assert gathered.get_write_buffer_size() == 100


async def test_delays_none_that_is_alone() -> None:
    gathered, wire = gathering()
    for data in (b"a", b"b"):
        gathered.write(data)
        assert wire.done[-1] == data
        await asyncio.sleep(0)
    assert wire.done == [b"a", b"b"]


async def test_sends_nothing_more_once_it_was_cut() -> None:
    gathered, wire = gathering()
    for data in (b"a", b"b"):
        gathered.write(data)
    wire.close()
    await asyncio.sleep(0)
    assert wire.done == [b"a", "close"]


async def test_sends_the_rest_before_it_closes() -> None:
    gathered, wire = gathering()
    for data in (b"a", b"b"):
        gathered.write(data)
    gathered.close()
    assert gathered.is_closing()
    await asyncio.sleep(0)
    assert wire.done == [b"a", b"b", "close"]
