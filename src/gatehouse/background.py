"""Work that goes on in the background of a context, and surely ends with it."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

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
