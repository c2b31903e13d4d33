"""From callbacks to `async for`: what models say inside any piece of work, token by token."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.outputs import LLMResult

from gatehouse.callbacks.text import result_of, text_of

SIZE = 256
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Said:
    """A piece of text, and the run id of the model call that said it."""

    text: str
    run_id: UUID


class Following(Generic[Result]):
    """The tokens of a piece of work, for one reader, and its result."""

    def __init__(self, task: asyncio.Task[Result], tokens: AsyncGenerator[Said]) -> None:
        self._task = task
        self._tokens = tokens

    async def __aiter__(self) -> AsyncGenerator[Said]:
        """Yield what is said. Raises what the work raised, after all that was said before."""
        async for said in self._tokens:
            yield said
        await self.result()

    async def result(self) -> Result:
        """Return what the work returned, when it has. Raises what it raised."""
        return await asyncio.shield(self._task)


class TokenQueue(AsyncCallbackHandler):
    """A bounded queue between the models of some work and one reader in the same event loop.

    With `queue = TokenQueue()` and `{"callbacks": [queue]}` in the config of what is awaited::

        async with queue.following(chain.ainvoke(question, {"callbacks": [queue]})) as tokens:
            async for token in tokens:
                print(token.text, end="")

    A reader that is slow slows the models down; the event loop is never blocked. Leaving the block cancels
    the work. Models may run in threads. A model that does not stream is heard at its end, in one piece.
    """

    run_inline = True  # in order, and without a task for every token
    ignore_chain = True
    ignore_agent = True
    ignore_retriever = True
    ignore_retry = True
    ignore_custom_event = True

    def __init__(self, size: int = SIZE) -> None:
        self.size = size
        self._ready: deque[Said] = deque()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._read = True  # until the reader leaves
        self._spoke: set[UUID] = set()

    @asynccontextmanager
    async def following(self, work: Coroutine[Any, Any, Result]) -> AsyncGenerator[Following[Result]]:
        """Start `work` and yield its tokens; end it at the block's end. For one piece of work only."""
        if self._loop is not None:
            work.close()
            raise RuntimeError("A TokenQueue follows one piece of work: make another.")
        self._loop = asyncio.get_running_loop()
        task = asyncio.create_task(work)
        task.add_done_callback(lambda _: self._news.set())
        try:
            yield Following(task, self._tokens(task))
        finally:
            self._read = False
            self._room.set()
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.exception()  # else asyncio complains that nobody asked for it

    async def on_llm_new_token(
        self, token: str | list[str | dict[str, Any]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        if text := text_of(token):
            self._spoke.add(run_id)
            await self._put(Said(text, run_id))

    async def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        text, _ = result_of(response)
        if text and run_id not in self._spoke:
            await self._put(Said(text, run_id))
        self._spoke.discard(run_id)

    async def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._spoke.discard(run_id)

    async def _tokens(self, task: asyncio.Task[Any]) -> AsyncGenerator[Said]:
        while True:
            while self._ready:
                yield self._ready.popleft()
                self._room.set()
            if task.done():
                return
            self._news.clear()
            await self._news.wait()

    async def _put(self, said: Said) -> None:
        """Put it into the queue from whichever event loop this is: a model in a thread has one of its own."""
        if self._loop is None or asyncio.get_running_loop() is self._loop:
            await self._put_here(said)
        else:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._put_here(said), self._loop))

    async def _put_here(self, said: Said) -> None:
        while self._read and len(self._ready) >= self.size:
            self._room.clear()
            await self._room.wait()
        if self._read:
            self._ready.append(said)
            self._news.set()
