"""Chains around models that stand for one another, such as those that answer with data of a schema."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForChainRun, CallbackManagerForChainRun
from langchain_core.runnables import Runnable, RunnableConfig

from gatehouse.models.guarded.calls import Candidate, ModelWatch
from gatehouse.models.guarded.shares import UNSHARED, TenantShares
from gatehouse.models.guarded.streams import answered, answered_in_thread, streamed
from gatehouse.models.judged.structured import areading, astream_reading, reading

Output = Any


class GuardedRunnable(Runnable[Any, Output]):
    """Runs the first of its candidates whose model answers, as `gatehouse.models.guarded.calls` says.

    How long the model may be silent does not count here: what parses an answer says nothing before its end.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate[Runnable[Any, Output]]],
        watch: ModelWatch,
        shares: TenantShares = UNSHARED,
    ) -> None:
        self.candidates = [
            replace(candidate, patience=replace(candidate.patience, silence=None)) for candidate in candidates
        ]
        self.watch = watch
        self.shares = shares
        self.name = candidates[0].source.get_name()

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Output:
        return self._call_with_config(self._answer_in_thread, input, config, **kwargs)

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Output:
        return await self._acall_with_config(self._answer, input, config, **kwargs)

    async def astream(
        self, input: Any, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Output]:
        async def once() -> AsyncIterator[Any]:
            yield input

        async for chunk in self._atransform_stream_with_config(once(), self._chunks, config, **kwargs):
            yield chunk

    def _answer_in_thread(
        self, value: Any, run_manager: CallbackManagerForChainRun, config: RunnableConfig
    ) -> Output:
        return answered_in_thread(self._calls("invoke", reading, value, config), self.watch)

    async def _answer(
        self, value: Any, run_manager: AsyncCallbackManagerForChainRun, config: RunnableConfig
    ) -> Output:
        return await answered(self._calls("ainvoke", areading, value, config), self.watch, self.shares)

    async def _chunks(
        self, values: AsyncIterator[Any], run_manager: AsyncCallbackManagerForChainRun, config: RunnableConfig
    ) -> AsyncGenerator[Output]:
        async for value in values:
            calls = self._calls("astream", astream_reading, value, config)
            async for chunk in streamed(calls, self.watch, lambda _: True, self.shares):
                yield chunk

    def _calls(
        self, method: str, read: Callable[..., Any], value: Any, config: RunnableConfig
    ) -> list[Candidate[Any]]:
        return [
            one.asking(partial(read, partial(getattr(one.source, method), value, config)))
            for one in self.candidates
        ]
