"""Runs `prompt | model | parser` with no task, tee or copy of our own making for a token or a step."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, Self, cast

from langchain_core.callbacks import AsyncCallbackManager
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnableBinding, RunnableConfig, RunnableSequence

from gatehouse.models.guarded.model import GuardedChatModel
from gatehouse.models.guarded.unkept import answer_unkept, can_be_unkept, unkept
from gatehouse.runs.metering import UsageMeter
from gatehouse.runs.sources.text.parser import TextParser, text_of


@dataclass(frozen=True, slots=True)
class TextChain:
    """A sequence whose last step that works is a chat model; a parser of its text may follow.

    RunnableSequence gives every chunk a task for every step and adds all chunks up for its tracers: half of
    what a token cost (bench/README.md). Nobody sees the difference, since it is only taken where nobody
    listens to callbacks but the run's own meter, of which `meters` has one or none.
    """

    before: Sequence[Runnable[Any, Any]]
    model: Runnable[Any, Any]
    parsed: bool
    meters: Sequence[UsageMeter]

    @classmethod
    def of(cls, runnable: Runnable[Any, Any], config: RunnableConfig) -> Self | None:
        """Return `runnable` as a text chain; None when it is none, or when something traces its steps."""
        if type(runnable) is not RunnableSequence:
            return None
        steps = runnable.steps
        parsed = type(steps[-1]) in (StrOutputParser, TextParser)
        *before, model = steps[:-1] if parsed else steps
        if not is_chat_model(model) or (meters := meters_alone(config)) is None:
            return None
        return cls(before, model, parsed, meters)

    def astream(self, value: Any, config: RunnableConfig) -> AsyncGenerator[Any]:
        """Yield what the sequence itself would."""
        ask = partial(self._asked, value, inner := nameless(config))
        if self.parsed and can_be_unkept(self.model):  # else the messages' ids and metadata are to be seen
            return unkept(cast("GuardedChatModel", self.model), ask, self.meters, text_of)
        return self._chunks(ask, inner)

    async def ainvoke(self, value: Any, config: RunnableConfig) -> Any:
        """Return what the sequence itself would."""
        inner = nameless(config)
        value = await self._asked(value, inner)
        if not self.parsed:
            return await self.model.ainvoke(value, inner)
        if can_be_unkept(self.model):
            guarded = cast("GuardedChatModel", self.model)
            return text_of(await answer_unkept(guarded, value, inner, self.meters))
        return text_of(await self.model.ainvoke(value, inner))

    async def _asked(self, value: Any, inner: RunnableConfig) -> Any:
        """Return what the model is asked: what the steps before it make of the input."""
        for step in self.before:
            if type(step) is ChatPromptTemplate and isinstance(
                value, dict
            ):  # a fifth of the time to a first token was its own callbacks
                value = await step.aformat_prompt(**value)
            else:
                value = await step.ainvoke(value, inner)
        return value

    async def _chunks(self, ask: Callable[[], Awaitable[Any]], inner: RunnableConfig) -> AsyncGenerator[Any]:
        messages = cast("AsyncGenerator[BaseMessage]", self.model.astream(await ask(), inner))
        async with aclosing(messages):
            async for message in messages:
                yield text_of(message) if self.parsed else message


def nameless(config: RunnableConfig) -> RunnableConfig:
    """Return a config for a part of a runnable: the run's id and name are those of the whole."""
    return cast("RunnableConfig", {k: v for k, v in config.items() if k not in ("run_id", "run_name")})


def is_chat_model(step: Runnable[Any, Any]) -> bool:
    return isinstance(step.bound if isinstance(step, RunnableBinding) else step, BaseChatModel)


def meters_alone(config: RunnableConfig) -> Sequence[UsageMeter] | None:
    """Return the meters that LangChain would tell of the steps; None when it would tell anybody else, too.

    That is LangSmith, OpenTelemetry, a debugger.
    """
    listening = AsyncCallbackManager.configure(config.get("callbacks")).handlers
    meters = [handler for handler in listening if isinstance(handler, UsageMeter)]
    return meters if len(meters) == len(listening) else None
