"""Work in the background of a context."""

import asyncio
import gc
from itertools import islice, repeat

import pytest
from structlog.testing import capture_logs

from gatehouse.background import (
    about,
    again_and_again,
    all_of,
    in_background,
    soon_and_every,
    uninterrupted,
)


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


async def test_work_that_fails_is_done_again_whatever_it_raised() -> None:
    faults: list[Exception] = [OSError("away"), ZeroDivisionError()]
    done = asyncio.Event()

    async def work() -> None:
        if faults:
            raise faults.pop(0)
        done.set()

    going_on = again_and_again(work, repeat(0.0), "it fails", (OSError,))
    with capture_logs() as logs:
        async with asyncio.timeout(5), in_background(work=going_on):
            await done.wait()
    assert [(line["log_level"], line["event"]) for line in logs] == [
        ("warning", "it fails"), ("error", "it fails")
    ]  # fmt: skip


async def test_work_that_goes_on_together_is_done_before_what_one_raises_is_raised() -> None:
    ended = []

    async def fails() -> None:
        raise ZeroDivisionError

    async def takes_longer() -> None:
        await asyncio.sleep(0.01)
        ended.append(True)

    with pytest.raises(ZeroDivisionError):
        await all_of([fails(), takes_longer()])
    assert ended == [True]


def test_replicas_that_start_together_part() -> None:
    assert all(5 <= pause <= 10 for pause in islice(about(10), 100))
    first, *others = islice(soon_and_every(5, 60), 4)
    assert 0 <= first <= 5
    assert others == [60, 60, 60]
