"""The runnable that LangServe is given for a registry entry: every call of it is a run of the engine."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.runnables import ConfigurableFieldSpec, Runnable, RunnableConfig
from langchain_core.tracers import RunLogPatch
from langchain_core.utils.uuid import uuid7
from pydantic import BaseModel

from gatehouse.identity.principal import OWN_NAMES
from gatehouse.problems.errors import RunFailed
from gatehouse.registry.entry import ServedEntry
from gatehouse.runs.sources.tap import Tap
from gatehouse.wires.langserve.config import CALL, Call
from gatehouse.wires.langserve.serializing import SERIALIZER


class ServedRunnable(Runnable[Any, Any]):
    """Stands for `entry` in LangServe's routes, which are made before the chat model is open.

    The real runnable sees a config that the engine makes from the principal: nothing of the client's, and
    none of LangServe's callbacks, whose events no client gets to see.
    """

    def __init__(self, entry: ServedEntry) -> None:
        self.entry = entry
        self.name = entry.shape.name

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
        heard = listening(config) if self.entry.include_callback_events else []
        tap = Tap("invoke", callbacks=heard)
        with await self._started(config, tap):
            output = await tap.last()
        for handler in keeping_events(heard):
            ours = OWN_NAMES | call_of(config).principal.claims.keys()
            handler.callback_events = [shown(event, ours) for event in handler.callback_events]
        return output

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
            yield with_chunks(patch) if self.entry.playground == "chat" else patch

    async def chunks_together(self, config: RunnableConfig) -> AsyncGenerator[list[Any]]:
        """Yield what `astream` does, in lists of those that are ready together. Raises ApiError."""
        tap = Tap("stream")
        with await self._started(config, tap):
            async for ready in tap.together():
                yield ready

    async def _run(self, config: RunnableConfig | None, tap: Tap) -> AsyncIterator[Any]:
        """Start a run and yield what LangChain's stream of the tap's mode yields. Raises ApiError."""
        with await self._started(config, tap):
            async for chunk in tap.chunks():
                yield chunk

    async def _started(self, config: RunnableConfig | None, tap: Tap) -> AbstractContextManager[None]:
        """Start a run; return what holds it while its chunks are taken out of the tap. Raises ApiError."""
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
            client=with_metadata(call.asked.client, config),
            grace=call.grace,
            tap=tap,
            admission=call.admission,
        )
        return taking(runs.watched(started.run.id), tap)


@contextmanager
def taking(watched: AbstractContextManager[None], tap: Tap) -> Iterator[None]:
    """View a run while what it yields is taken out of its tap."""
    with watched, closing(tap):
        yield


def call_of(config: RunnableConfig | None) -> Call:
    """Return the call that `rebuild_config` put into the config."""
    call: Call = (config or {})["configurable"][CALL]
    return call


def with_chunks(patch: RunLogPatch) -> RunLogPatch:
    """Return a patch with a chunk for a whole message: the chat playground shows nothing of another type."""
    return RunLogPatch(*({**change, "value": as_chunk(change.get("value"))} for change in patch.ops))


def as_chunk(value: Any) -> Any:
    if isinstance(value, AIMessage) and not isinstance(value, AIMessageChunk):
        return AIMessageChunk.model_validate({**value.model_dump(), "type": "AIMessageChunk"})
    return value


def with_metadata(client: Mapping[str, Any], config: RunnableConfig | None) -> dict[str, Any]:
    """Return what a client says of the config, and what LangServe tells traces of the request beside it."""
    return {**client, "metadata": {**client.get("metadata", {}), **((config or {}).get("metadata") or {})}}


def listening(config: RunnableConfig | None) -> list[BaseCallbackHandler]:
    """Return whom LangServe lets hear what happens in a run."""
    callbacks = (config or {}).get("callbacks") or []
    return callbacks.handlers if isinstance(callbacks, BaseCallbackManager) else callbacks


def keeping_events(handlers: list[BaseCallbackHandler]) -> list[Any]:
    """Return LangServe's own of these, which keep the events of a run in `callback_events`."""
    return [handler for handler in handlers if hasattr(handler, "callback_events")]


def shown(event: dict[str, Any], ours: Collection[str]) -> dict[str, Any]:
    """Return an event of a run as a client gets it: JSON, and without what LangChain copies of our config."""
    values: dict[str, Any] = {
        name: SERIALIZER.dumpd(event[name]) for name in ("inputs", "outputs") if name in event
    }
    if event.get("metadata"):
        values["metadata"] = {name: item for name, item in event["metadata"].items() if name not in ours}
    return {**event, **values}
