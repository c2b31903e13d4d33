"""Work that goes on in the background of a context, and surely ends with it."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import structlog

log = structlog.get_logger(__name__)

Result = TypeVar("Result")

CANCEL_AGAIN_SECONDS = 0.2


@asynccontextmanager
async def in_background(**work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run each coroutine as a task while the context is open; `work` names the tasks, `_` for a space.

    At its end they are cancelled until they are done. Once is not enough: redis-py can turn a cancellation
    into a connection error, which they live through, and a server that waits for them would never end.
    """
    pending = {asyncio.create_task(one, name=name.replace("_", " ")) for name, one in work.items()}
    try:
        yield
    finally:
        while pending:
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=CANCEL_AGAIN_SECONDS)


async def again_and_again(
    work: Callable[[], Awaitable[object]],
    pauses: Iterable[float],
    fault: str,
    away: tuple[type[Exception], ...],
) -> None:
    """Do a piece of work after each pause, in seconds, until cancelled.

    What it raises is logged as `fault`: the next time may succeed. Of `away`, what a store raises that does
    not answer, a line is enough.
    """
    for pause in pauses:
        await asyncio.sleep(pause)
        try:
            await work()
        except away as error:
            log.warning(fault, error=type(error).__name__)
        except Exception:
            log.exception(fault)


def about(seconds: float) -> Iterator[float]:
    """Yield pauses of this length at most and half of it at least: replicas that start together part."""
    while True:
        yield random.uniform(seconds / 2, seconds)  # noqa: S311  # no secret


def soon_and_every(first: float, seconds: float) -> Iterator[float]:
    """Yield a first pause of up to `first` seconds, so that replicas part, and then pauses of one length."""
    yield random.uniform(0, first)  # noqa: S311  # no secret
    while True:
        yield seconds


async def outlasted(task: "asyncio.Future[Any]") -> bool:
    """Return when the task is done, come what may; True when the caller was cancelled meanwhile.

    For a step that another process sees: who has asked for it must know whether it was taken. The caller
    raises the cancellation when it has made good what it leaves behind.
    """
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            cancelled = True
    return cancelled


async def uninterrupted(work: Coroutine[Any, Any, Result]) -> Result:
    """Return what `work` returns; a cancellation is raised when it is done, and not before."""
    task = asyncio.ensure_future(work)
    if await outlasted(task):
        if not task.cancelled():
            task.exception()  # nobody is left to be told
        raise asyncio.CancelledError
    return task.result()


async def all_of(work: Iterable[Awaitable[Result]]) -> list[Result]:
    """Return what work returns whose pieces go on together; raise what one raises when all are done."""
    done = await asyncio.gather(*work, return_exceptions=True)
    for result in done:
        if isinstance(result, BaseException):
            raise result
    return [result for result in done if not isinstance(result, BaseException)]
