"""What a runnable itself yields, on its way to the one caller that encodes it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler

from gatehouse.problems.errors import ApiError, RunFailed
from gatehouse.runs.sources.sources import Mode

SIZE = 10_000


class Tap:
    """What the runnable itself yields, for the one caller in this process that encodes it.

    `mode` says which of LangChain's streams it is, `options` what else that stream is called with,
    `callbacks` who else hears what happens in it.
    Bounded: a caller that leaves `size` chunks untaken is cut off, and the run goes on.
    """

    def __init__(
        self,
        mode: Mode,
        options: dict[str, Any] | None = None,
        size: int = SIZE,
        callbacks: Sequence[BaseCallbackHandler] = (),
    ) -> None:
        self.mode: Mode = mode
        self.options = options or {}
        self.callbacks = callbacks
        self.size = size
        self._ready: deque[Any] = deque()
        self._wake = asyncio.Event()
        self._ended = False
        self._failure: ApiError | None = None
        self._overrun = False

    @property
    def ready(self) -> bool:
        """True when a chunk waits to be taken."""
        return bool(self._ready)

    def put(self, chunk: Any) -> None:
        if self._overrun:
            return
        if len(self._ready) >= self.size:
            self._overrun = True
            self._ready.clear()
        else:
            self._ready.append(chunk)
        self._wake.set()

    def end(self, failure: ApiError | None) -> None:
        self._ended = True
        self._failure = failure
        self._wake.set()

    async def chunks(self) -> AsyncIterator[Any]:
        """Yield the chunks. Raises the run's ApiError, or RunFailed when this reader was too slow."""
        while True:
            while self._ready:
                yield self._ready.popleft()
            if self._overrun:
                raise RunFailed("The stream was not read fast enough. The run goes on: join it by its id.")
            if self._ended:
                if self._failure:
                    raise self._failure
                return
            self._wake.clear()
            await self._wake.wait()
