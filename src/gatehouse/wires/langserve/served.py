"""The runnable that LangServe is given for a registry entry: every call of it is a run of the engine."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from langchain_core.runnables import ConfigurableFieldSpec, Runnable, RunnableConfig
from langchain_core.utils.uuid import uuid7
from pydantic import BaseModel

from gatehouse.problems.errors import RunFailed
from gatehouse.registry.entry import ServedEntry
from gatehouse.runs.sources.tap import Tap
from gatehouse.wires.langserve.config import CALL, Call


class ServedRunnable(Runnable[Any, Any]):
    """Stands for `entry` in LangServe's routes, which are made before the chat model is open.

    The real runnable sees a config that the engine makes from the principal: nothing of the client's, and
    none of LangServe's callbacks, whose events no client gets to see.
    """

    def __init__(self, entry: ServedEntry) -> None:
        self.entry = entry
        self.name = entry.name

    def get_input_schema(self, config: RunnableConfig | None = None) -> type[BaseModel]:
        return self.entry.shape.input_schema

    def get_output_schema(self, config: RunnableConfig | None = None) -> type[BaseModel]:
        return self.entry.shape.output_schema

    @property
    def config_specs(self) -> list[ConfigurableFieldSpec]:
        return list(self.entry.fields)

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        raise TypeError("A served runnable is asynchronous: use ainvoke, astream or abatch.")

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        outputs = [output async for output in self._run(config, Tap("invoke"))]
        return outputs[-1]  # the one

    async def abatch(
        self,
        inputs: list[Any],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Any]:
        if not inputs:
            return []
        configs: Sequence[RunnableConfig] = (
            config if isinstance(config, list) else [config or {}] * len(inputs)
        )
        free = asyncio.Semaphore(call_of(configs[0]).services.settings.batch_concurrency)

        async def one(item: Any, item_config: RunnableConfig) -> Any:
            async with free:
                return await self.ainvoke(item, item_config)

        return await asyncio.gather(*map(one, inputs, configs))

    async def astream(
        self, input: Any, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        async for chunk in self._run(config, Tap("stream")):
            yield chunk

    async def astream_events(  # type: ignore[override]  # one of LangChain's overloads, by its v2 events
        self, input: Any, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        async for event in self._run(config, Tap("events", kwargs)):
            if "error" in event["data"]:  # an exception: it cannot be sent, and its text must not be
                event["data"]["error"] = RunFailed.default_detail
            yield event

    async def astream_log(
        self, input: Any, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        async for patch in self._run(config, Tap("log", kwargs)):
            yield patch

    async def _run(self, config: RunnableConfig | None, tap: Tap) -> AsyncIterator[Any]:
        """Start a run and yield what LangChain's stream of the tap's mode yields. Raises ApiError."""
        call = call_of(config)
        call.tap = tap
        runs = call.services.runs
        run_id = str((config or {}).get("run_id") or uuid7())
        started = await runs.start(
            call.principal,
            self.entry.path,
            call.value,  # LangServe has made messages and documents of what is JSON
            run_id=run_id,
            thread_id=call.asked.thread_id,
            client=call.asked.client,
            grace=call.grace,
            tap=tap,
            admission=call.admission,
        )
        with runs.watched(started.run.id):
            async for chunk in tap.chunks():
                yield chunk


def call_of(config: RunnableConfig | None) -> Call:
    """Return the call that `rebuild_config` put into the config."""
    call: Call = (config or {})["configurable"][CALL]
    return call
