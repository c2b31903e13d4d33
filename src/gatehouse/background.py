"""Work that goes on in the background of a context, and surely ends with it."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

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
