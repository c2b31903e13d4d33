"""Asks a chat model at its own cost, streamed or in one piece, where nobody but a run's meter listens.

LangChain's `astream` keeps every chunk up to the end, to add them up for those who listen: 1.8 kB a token as
long as the answer takes, which after 25 tokens was 43 of the 146 kB of an open stream. Its `ainvoke` makes a
task, a callback manager and several signatures for each call. This is for where nobody listens to tokens,
only to what the call came to, and those who do are called without a manager: two of them, an event for each
handler and a shielded task were a fifth of the time to a first token.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import aclosing
from typing import Any, TypeVar, cast

import structlog
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.globals import get_llm_cache
from langchain_core.language_models._utils import _normalize_messages
from langchain_core.language_models.chat_models import _gen_info_and_msg_metadata
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata, add_usage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, LLMResult
from langchain_core.runnables import RunnableConfig
from langchain_core.utils.uuid import uuid7

from gatehouse.models.guarded.model import GuardedChatModel

log = structlog.get_logger(__name__)

Listeners = Sequence[AsyncCallbackHandler]
Shown = TypeVar("Shown")


class Tally:
    """What the chunks of a call tell of the call itself: its usage, and the model's name."""

    def __init__(self) -> None:
        self._usage: UsageMetadata | None = None
        self._metadata: dict[str, Any] = {}

    def note(self, chunk: ChatGenerationChunk) -> None:
        message = chunk.message
        if info := chunk.generation_info:
            self._metadata.update(info)
        if told := message.response_metadata:
            self._metadata.update(told)
        if isinstance(message, AIMessageChunk) and message.usage_metadata:
            self._usage = add_usage(self._usage, message.usage_metadata)

    def result(self) -> LLMResult:
        """Return it as the result of a call that said nothing."""
        message = AIMessage(content="", response_metadata=self._metadata, usage_metadata=self._usage)
        return LLMResult(generations=[[ChatGeneration(message=message)]])


def can_be_unkept(model: object) -> bool:
    """Tell whether `unkept` streams this model as its own `astream` would."""
    # what else that would do has no use in the guarded model: it limits no rate and has no callbacks
    return type(model) is GuardedChatModel and not model.disable_streaming and model.output_version != "v1"


async def unkept(
    model: GuardedChatModel,
    ask: Callable[[], Awaitable[Any]],
    listeners: Listeners,
    shown: Callable[[AIMessageChunk], Shown],
) -> AsyncGenerator[Shown]:
    """Yield what is `shown` of each message that the model says to what is to be asked.

    The listeners are told of the call's begin and end, not of each token.
    """
    messages = model._convert_input(await ask()).to_messages()
    call = await begun(model, messages, listeners)
    tally, last = Tally(), None
    try:
        said = cast("AsyncGenerator[ChatGenerationChunk]", model._astream(_normalize_messages(messages)))
        async with aclosing(said) as chunks:
            async for chunk in chunks:
                tally.note(chunk)
                last = cast("AIMessageChunk", chunk.message)
                yield shown(last)
        if last is None:
            raise ValueError("No generation chunks were returned")
        if not last.chunk_position:  # as LangChain marks the end of a stream that does not do so itself
            yield shown(AIMessageChunk(content="", chunk_position="last"))
    except BaseException as error:
        await call.failed(error)
        raise
    await call.ended(tally.result())


async def answer_unkept(
    model: GuardedChatModel, value: Any, config: RunnableConfig, listeners: Listeners
) -> BaseMessage:
    """Return what the model's own `ainvoke` would; the listeners hear of the call's begin and end."""
    if get_llm_cache() is not None:  # the team's own, of the whole process
        return await model.ainvoke(value, config)
    messages = model._convert_input(value).to_messages()
    call = await begun(model, messages, listeners)
    try:
        result = await model._agenerate(_normalize_messages(messages))
    except BaseException as error:
        await call.failed(error)
        raise
    for generation in result.generations:
        generation.message.response_metadata = _gen_info_and_msg_metadata(generation)
    first = result.generations[0].message
    if len(result.generations) == 1:
        first.response_metadata = {**(result.llm_output or {}), **first.response_metadata}
    await call.ended(LLMResult(generations=[result.generations], llm_output=result.llm_output))
    return first


class Call:
    """A call of a model, as those who listen are told of it. What one of them raises is logged alone."""

    def __init__(self, listeners: Listeners) -> None:
        self.id = uuid7()
        self._listeners = listeners

    async def began(self, messages: list[BaseMessage], metadata: dict[str, Any]) -> None:
        for one in self._listeners:
            await heard(one.on_chat_model_start({}, [messages], run_id=self.id, metadata=metadata))

    async def ended(self, result: LLMResult) -> None:
        for one in self._listeners:
            await heard(one.on_llm_end(result, run_id=self.id))

    async def failed(self, error: BaseException) -> None:
        for one in self._listeners:
            await heard(one.on_llm_error(error, run_id=self.id))


async def heard(telling: Coroutine[Any, Any, Any]) -> None:
    try:
        await telling
    except Exception:  # of a call of the model it says nothing
        log.exception("a listener to a model call failed")


async def begun(model: GuardedChatModel, messages: list[BaseMessage], listeners: Listeners) -> Call:
    """Tell the listeners that a call begins; return what is told of its end."""
    call = Call(listeners)
    await call.began(messages, dict(model._get_ls_params()))
    return call
