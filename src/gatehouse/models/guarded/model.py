"""The chat model that chains and agents are handed: patient with its provider, up to a point."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self, cast

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.globals import get_llm_cache
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.language_models.base import LangSmithParams
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableBinding
from langchain_core.tools import BaseTool
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SkipValidation

from gatehouse.models.guarded.bound_tools import BoundTools
from gatehouse.models.guarded.calls import Candidate, ModelWatch, UnwatchedModel
from gatehouse.models.guarded.runnable import GuardedRunnable
from gatehouse.models.guarded.shares import UNSHARED, TenantShares
from gatehouse.models.guarded.streams import answered, answered_in_thread, streamed, streamed_in_thread
from gatehouse.models.guarded.told_inline import answer_told, inline_listeners
from gatehouse.models.judged.model import as_chunk, judged
from gatehouse.models.judged.structured import structured


@dataclass(frozen=True, slots=True)
class Bound:
    """A provider's model, and what is bound to each call of it, in that provider's own words."""

    model: BaseChatModel
    kwargs: dict[str, Any] = field(default_factory=dict)


class GuardedChatModel(BaseChatModel):
    """Asks the first of its candidates that answers, as `gatehouse.models.guarded.calls` says.

    It stands where `BaseChatModel` calls a provider, below callbacks and tracing: so tokens pass it at the
    cost of one generator, and what is built from it, `bind_tools` and all, is what would be built from the
    provider's model. Raises the failures of `gatehouse.models.errors`.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    candidates: tuple[Candidate[Bound], ...] = Field(repr=False, exclude=True)
    watch: SkipValidation[ModelWatch] = Field(default_factory=UnwatchedModel, repr=False, exclude=True)

    shares: SkipValidation[TenantShares] = Field(default=UNSHARED, repr=False, exclude=True)

    _bound: "BoundTools[GuardedChatModel]" = PrivateAttr(default_factory=BoundTools)

    @classmethod
    def of(
        cls,
        candidates: Sequence[Candidate[BaseChatModel]],
        watch: ModelWatch | None = None,
        shares: TenantShares = UNSHARED,
    ) -> Self:
        """Return the model that asks these, in this order."""
        first = candidates[0].source
        return cls(
            candidates=tuple(one.asking(Bound(judged(one.source))) for one in candidates),
            watch=watch or UnwatchedModel(),
            shares=shares,
            disable_streaming=first.disable_streaming,
            output_version=first.output_version,
            profile=first.profile,
        )

    @property
    def first(self) -> BaseChatModel:
        """The model that is asked first."""
        return self.candidates[0].source.model

    def seconds_to_wait(self) -> float:
        """Return the seconds in which no candidate may be asked; 0.0 when one may be."""
        return min(candidate.circuit.seconds_to_wait() for candidate in self.candidates)

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Return the model with these tools, told to each candidate in its own way."""

        def told(candidate: Candidate[Bound]) -> Candidate[Bound]:
            bound = candidate.source
            binding = bound.model.bind_tools(tools, tool_choice=tool_choice, **kwargs)
            if not isinstance(binding, RunnableBinding):
                raise TypeError(f"{candidate.name}: bind_tools returned {type(binding).__name__}")
            return candidate.asking(Bound(bound.model, {**bound.kwargs, **binding.kwargs}))

        def made() -> "GuardedChatModel":
            copy = self.model_copy(update={"candidates": tuple(map(told, self.candidates))})
            copy._bound = BoundTools()
            return copy

        return made() if kwargs else self._bound.of(tools, [tool_choice], made)

    def with_structured_output(
        self, schema: dict[str, Any] | type, *, include_raw: bool = False, **kwargs: Any
    ) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]:
        """Return what answers with data of `schema`, got from each candidate in its own way."""
        options: dict[str, Any] = {"include_raw": include_raw, **kwargs}
        answering = [one.asking(structured(one.source.model, schema, **options)) for one in self.candidates]
        return GuardedRunnable(answering, self.watch, self.shares)

    async def _agenerate_with_cache(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        streamed = {"async_api": True, "run_manager": run_manager, **kwargs}
        plain = not (self.cache or get_llm_cache() or self.rate_limiter or self.output_version == "v1")
        if run_manager and plain and not self._should_use_protocol_streaming(**streamed):
            listeners = inline_listeners(run_manager.handlers)
            if listeners is not None and self._should_stream(**streamed):
                return await answer_told(self._astream(messages, stop, **kwargs), listeners, run_manager)
        return await super()._agenerate_with_cache(messages, stop, run_manager, **kwargs)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        async def ask(bound: Bound) -> ChatResult:
            call = bound.model._agenerate
            result: ChatResult = await call(messages, stop, run_manager, **{**bound.kwargs, **kwargs})
            return result

        return await answered(self._calls(ask), self.watch, self.shares)

    def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        def ask(bound: Bound) -> AsyncGenerator[ChatGenerationChunk]:
            options = {**bound.kwargs, **kwargs}
            if not bound.model._should_stream(async_api=True, **{**options, "stream": True}):
                return in_one_piece(bound.model, messages, stop, options)
            stream = bound.model._astream(messages, stop, run_manager, **options)
            return cast("AsyncGenerator[ChatGenerationChunk]", stream)

        return streamed(self._calls(ask), self.watch, says_something, self.shares)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        def ask(bound: Bound) -> ChatResult:
            return bound.model._generate(messages, stop, run_manager, **{**bound.kwargs, **kwargs})

        calls: list[Candidate[Callable[[], ChatResult]]] = self._calls(ask)
        return answered_in_thread(calls, self.watch)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        def ask(bound: Bound) -> Iterator[ChatGenerationChunk]:
            options = {**bound.kwargs, **kwargs}
            if not bound.model._should_stream(async_api=False, **{**options, "stream": True}):
                return map(as_chunk, [bound.model._generate(messages, stop, run_manager, **options)])
            return bound.model._stream(messages, stop, run_manager, **options)

        return streamed_in_thread(self._calls(ask), self.watch, says_something)

    def _calls(self, ask: Callable[[Bound], Any]) -> list[Candidate[Any]]:
        return [one.asking(partial(ask, one.source)) for one in self.candidates]

    # what traces and events say of the model is what they would say of the first candidate

    def get_name(self, suffix: str | None = None, *, name: str | None = None) -> str:
        return self.first.get_name(suffix, name=name or self.name)

    @property
    def _llm_type(self) -> str:
        return self.first._llm_type

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return dict(self.first._identifying_params)

    def _get_invocation_params(self, stop: list[str] | None = None, **kwargs: Any) -> dict[str, Any]:
        return self.first._get_invocation_params(stop, **{**self.candidates[0].source.kwargs, **kwargs})

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        return self.first._get_ls_params(stop, **kwargs)


def says_something(chunk: ChatGenerationChunk) -> bool:
    """Tell whether the chunk is part of an answer."""
    message = chunk.message
    if message.content or message.additional_kwargs:
        return True
    return isinstance(message, AIMessageChunk) and bool(message.tool_call_chunks or message.usage_metadata)


async def in_one_piece(
    model: BaseChatModel, messages: list[BaseMessage], stop: list[str] | None, options: dict[str, Any]
) -> AsyncGenerator[ChatGenerationChunk]:
    """Yield the answer of a model that does not stream."""
    yield as_chunk(await model._agenerate(messages, stop, **options))
