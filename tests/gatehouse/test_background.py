"""Work in the background of a context."""

import asyncio
import gc

import pytest

from gatehouse.background import in_background, uninterrupted


class Work:
    """Goes on until it was cancelled so many times."""

    def __init__(self, stubborn: int = 0) -> None:
        self.stubborn = stubborn
        self.name = ""
        self.ended = False

    async def __call__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.name = task.get_name()
        try:
            while True:
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    if not self.stubborn:
                        raise
                    self.stubborn -= 1
        finally:
            self.ended = True


async def test_goes_on_meanwhile_under_its_name() -> None:
    one, other = Work(), Work()
    async with in_background(one_of_two=one(), other=other()):
        await asyncio.sleep(0)
        assert (one.name, other.name) == ("one of two", "other")
        assert not one.ended
    assert one.ended
    assert other.ended


async def test_ends_although_a_library_swallows_cancellations() -> None:
    work = Work(stubborn=2)
    async with asyncio.timeout(10), in_background(work=work()):
        await asyncio.sleep(0)
    assert work.ended


async def test_ends_when_the_context_fails() -> None:
    work = Work()
    with pytest.raises(ValueError, match="failed"):
        async with in_background(work=work()):
            await asyncio.sleep(0)
            raise ValueError("failed")
    assert work.ended


async def test_what_is_raised_in_work_of_a_caller_who_left_is_told_to_nobody() -> None:
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))
    goes_on = asyncio.Event()

    async def fails() -> None:
        await goes_on.wait()
        raise ZeroDivisionError

    caller = asyncio.create_task(uninterrupted(fails()))
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.sleep(0)
    assert not caller.done()
    goes_on.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    del caller
    gc.collect()
    await asyncio.sleep(0)
    assert told == []
