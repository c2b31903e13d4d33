"""Makes what a runnable says wait for whoever reads it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from langchain_core.callbacks import AsyncCallbackHandler

Pace = Callable[[], Awaitable[None]]


async def at_will() -> None:
    """Wait for nobody: there is no reader."""


class Pacing(AsyncCallbackHandler):
    """Has the models of a run wait with each token until its reader has room.

    LangChain's streams of events and of the log queue without bound what is called back.
    """

    run_inline = True  # without a task for every token
    ignore_chain = True
    ignore_agent = True
    ignore_retriever = True
    ignore_retry = True
    ignore_custom_event = True

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._loop = asyncio.get_running_loop()

    async def on_llm_new_token(self, *_arguments: Any, **_named: Any) -> None:
        if asyncio.get_running_loop() is self._loop:
            await self._pace()
        else:  # a model in a thread has a loop of its own
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._paced(), self._loop))

    async def _paced(self) -> None:
        await self._pace()
