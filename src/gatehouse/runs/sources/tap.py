"""What a runnable itself yields, on its way to the one caller that encodes it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler

from gatehouse.problems.errors import ApiError, RunFailed
from gatehouse.runs.sources.sources import Mode
from gatehouse.runs.sources.weighing import LEAST, weight

SIZE = 10_000  # chunks
TOGETHER = 65_536  # bytes of chunks, about, that are taken at once
ROOM = 262_144  # bytes of chunks, about; over it whoever makes them waits
PATIENCE = 60.0  # seconds that it waits for a reader that takes nothing at all; streams have shorter limits


class Tap:
    """What the runnable itself yields, for the one caller in this process that encodes it.

    `mode` says which of LangChain's streams it is, `options` what else that stream is called with,
    `callbacks` who else hears what happens in it.
    Bounded: the run waits for a caller that is slower than it (`room`). One that leaves `size` chunks
    untaken, or takes none for a minute, is cut off, and the run goes on.
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
        self._ready: deque[tuple[Any, int]] = deque()
        self._queued = 0  # bytes, about
        self._taken = asyncio.Event()
        self._wake = asyncio.Event()
        self._ended = False
        self._failure: ApiError | None = None
        self._overrun = False
        self._left = False

    @property
    def ready(self) -> bool:
        """True when a chunk waits to be taken."""
        return bool(self._ready)

    @property
    def full(self) -> bool:
        """True when whoever makes chunks should wait with `room`."""
        return self._queued > ROOM and len(self._ready) > 1

    def _take(self, most: int) -> list[Any]:
        taken, size = [], 0
        while self._ready and size < most:
            chunk, bytes_of = self._ready.popleft()
            taken.append(chunk)
            size += bytes_of
        self._queued -= size
        self._taken.set()
        return taken

    def put(self, chunk: Any) -> None:
        if self._overrun or self._left:
            return
        if len(self._ready) >= self.size:
            self._cut()
            return
        bytes_of = LEAST + len(chunk) if type(chunk) is str else weight(chunk)  # as nearly every one is
        self._ready.append((chunk, bytes_of))
        self._queued += bytes_of
        self._wake.set()

    async def room(self) -> None:
        """Return when there is room for a further chunk, or nobody who takes any."""
        while self.full:
            self._taken.clear()
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._taken.wait()
            except TimeoutError:
                self._cut()

    def close(self) -> None:
        """Forget what was not taken: its reader has left."""
        self._left = True
        self._forget()

    def _cut(self) -> None:
        self._overrun = True
        self._forget()
        self._wake.set()

    def _forget(self) -> None:
        self._ready.clear()
        self._queued = 0
        self._taken.set()

    def end(self, failure: ApiError | None) -> None:
        self._ended = True
        self._failure = failure
        self._wake.set()

    async def chunks(self) -> AsyncIterator[Any]:
        """Yield the chunks, one by one. Raises as `together` does."""
        async for ready in self.together(most=1):
            yield ready[0]

    async def last(self) -> Any:
        """Return the newest chunk when no more come: of a run that yields one. Raises as `together` does."""
        while not (self._ended or self._overrun):
            self._wake.clear()
            await self._wake.wait()
        self._raise()
        return self._ready[-1][0]

    def _raise(self) -> None:
        """Raise why there are no more chunks, unless the run came to its end."""
        if self._overrun:
            raise RunFailed("The stream was not read fast enough. The run goes on: join it by its id.")
        if self._failure:
            raise self._failure

    async def together(self, most: int = TOGETHER) -> AsyncIterator[list[Any]]:
        """Yield the chunks, those that are ready together: of a piece of about `most` bytes, and one more.

        Raises the run's ApiError, or RunFailed when this reader was too slow.
        """
        while True:
            while self._ready:
                yield self._take(most)
            if self._ended or self._overrun:
                self._raise()
                return
            self._wake.clear()
            await self._wake.wait()
