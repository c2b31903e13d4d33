"""Generators as runnables, also those that LangChain streams in one way only."""

import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

from langchain_core.runnables import RunnableConfig, RunnableGenerator, RunnableLambda
from langchain_core.runnables.config import run_in_executor

from gatehouse.runs.sources.gathering import combined


class Generating(RunnableGenerator[Any, Any]):
    """A generator that is called and streamed asynchronously, whatever it yields.

    LangChain's own adds what it yields up, and raises for dicts; here the last one counts, as everywhere else
    where LangChain adds chunks up.
    """

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        whole: Any = None
        async for chunk in self.astream(input, config, **kwargs):
            whole = combined(whole, chunk)
        return whole


def in_threads(transform: Any) -> Any:
    """Return a generator function as an asynchronous one, each of whose steps is made in a thread."""

    async def atransform(inputs: AsyncIterator[Any]) -> AsyncIterator[Any]:
        whole: Any = None
        async for item in inputs:
            whole = combined(whole, item)
        made = cast("Iterator[Any]", transform(iter([whole])))
        while (item := await run_in_executor(None, next, made, DONE)) is not DONE:
            yield item

    return atransform


def of_one(runnable: RunnableLambda[Any, Any]) -> Any:
    """Return a generator function of one value, with a config or without, as `in_threads` does others."""

    async def atransform(inputs: AsyncIterator[Any], config: RunnableConfig) -> AsyncIterator[Any]:
        function: Any = runnable.func
        takes_config = "config" in inspect.signature(function).parameters

        def transform(values: Iterator[Any]) -> Iterator[Any]:
            for value in values:
                yield from function(value, config) if takes_config else function(value)

        async for item in in_threads(transform)(inputs):
            yield item

    return atransform


DONE = object()
