"""What is tried again when it fails, also where it is streamed, which LangChain's own is not."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.retry import RunnableRetry

from gatehouse.runs.sources.gathering import combined
from gatehouse.runs.sources.steps import NOTHING


class Retrying(RunnableRetry[Any, Any]):  # type: ignore[no-redef]  # its field `kwargs`, for pydantic's plugin
    """Tries a stream again until its first chunk is there, as LangChain's fallbacks do."""

    async def astream(
        self, input: Any, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        stream: Any = None
        first: Any = NOTHING
        async for attempt in self._async_retrying(reraise=True):
            with attempt:
                stream = super().astream(input, config, **kwargs)
                first = await anext(stream, NOTHING)
        async with aclosing(stream):
            if first is not NOTHING:
                yield first
            async for chunk in stream:
                yield chunk

    async def atransform(
        self, input: AsyncIterator[Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        whole: Any = None
        async for item in input:
            whole = combined(whole, item)
        async for chunk in self.astream(whole, config, **kwargs):
            yield chunk
