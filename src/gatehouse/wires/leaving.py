"""Requests that are answered in one piece end with their client: nobody is left to read the answer."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.types import Receive

from gatehouse.problems.errors import ApiError

Result = TypeVar("Result")

LOOK_SECONDS = 0.02  # after which it is looked whether the client is still there


class ClientLeft(ApiError):
    """The client has closed the connection. Nobody sees this; the access log does."""

    status = 408
    kind = "client-left"
    default_detail = "The client left before the answer was complete."


async def while_connected(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """Return what `work` returns; cancel it and raise ClientLeft when the client leaves before.

    The request's body must have been read.
    """
    watch = Watch(request.receive)
    try:
        return await work
    except asyncio.CancelledError:
        if watch.forgiven():
            raise ClientLeft from None
        raise
    finally:
        await watch.close()


class Watch:
    """Cancels the task that it is made in when the client leaves.

    It begins to look after `LOOK_SECONDS`: most answers are there before, and need no task beside their own.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._watched = asyncio.current_task()
        self._looking: asyncio.Task[None] | None = None
        self._has_left = False
        self._timer = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)

    def forgiven(self) -> bool:
        """Take the cancellation back that this has asked for; False when it was another's."""
        return self._has_left and self._watched is not None and not self._watched.uncancel()

    async def close(self) -> None:
        self._timer.cancel()
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})

    def _look(self) -> None:
        self._looking = asyncio.create_task(self._until_left(), name="client's leaving")

    async def _until_left(self) -> None:
        await left(self._receive)
        if self._watched is not None:
            self._has_left = True
            self._watched.cancel()


async def left(receive: Receive) -> None:
    """Return when the client has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
