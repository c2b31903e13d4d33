"""A provider's chat model whose answers are judged where they arrive.

Whatever LangChain makes of the model (with tools, with data of a schema, in a chain of the provider's own)
asks it with one of four methods: each is judged.
"""

import re
import warnings
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing
from contextvars import ContextVar
from functools import reduce
from typing import Any, TypeVar, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, message_chunk_to_message
from langchain_core.messages.ai import UsageMetadata, add_usage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from gatehouse.models.errors import AnswerUnusable, ModelSaidNothing
from gatehouse.models.failures import failure_of
from gatehouse.models.judged.endings import REASONS
from gatehouse.models.judged.judging import Answer, Judge
from gatehouse.models.judged.openai_dialect import reading_dialect
from gatehouse.models.judged.tool_calls import told_of
from gatehouse.models.overriding import overriding

CORRECTIONS = 2  # times that a model is told what is wrong with its tool calls, in one call of it
QUOTING = re.compile("Pydantic serializer warnings", re.IGNORECASE)  # as `warnings` compiles it
NO_CALL = "it made no tool call that can be read"
# packages of providers that always tell how an answer ended
TELLING = frozenset(
    f"langchain_{name}"
    for name in (
        *("anthropic", "aws", "deepseek", "google_genai", "google_vertexai", "groq", "litellm"),
        *("mistralai", "ollama", "openai", "openrouter", "xai"),
    )
)
# what clients raise when they cannot read an answer
UNREADABLE = (AttributeError, LookupError, TypeError, ValueError)

# the streams that were judged, and of which model, while a whole answer is asked for
Streams = list[tuple[BaseChatModel, Answer]]
streams_of_whole: ContextVar[Streams | None] = ContextVar("streams_of_whole", default=None)

Model = TypeVar("Model", bound=BaseChatModel)
Messages = list[BaseMessage]


def judged(model: Model) -> Model:
    """Return a copy of the model whose answers are judged; it shares the model's clients."""
    kind = type(model)
    read = reading_dialect(model) if kind.__module__.startswith("langchain_openai.") else model
    return overriding(read, judging_methods(type(read), tells_end=tells_end(kind)))


def tells_end(kind: type[BaseChatModel]) -> bool:
    """Tell whether models of this class always say how an answer ended."""
    return kind.__module__.partition(".")[0] in TELLING


def judging_methods(kind: type[BaseChatModel], *, tells_end: bool) -> dict[str, Callable[..., Any]]:
    """Return what judges the methods that a class itself implements; LangChain's own methods call those."""
    return {
        name: make(getattr(kind, name), tells_end)
        for name, make in JUDGED.items()
        if getattr(kind, name) is not getattr(BaseChatModel, name)
    }


def _judged_astream(ask: Callable[..., AsyncIterator[ChatGenerationChunk]], tells_end: bool) -> Any:
    async def _astream(
        self: BaseChatModel, messages: Messages, *args: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for _ in range(1 + CORRECTIONS):
            judge = judging(messages, tells_end)
            stream = cast("Any", ask(self, messages, *args, **kwargs))
            try:
                async with aclosing(stream) as chunks:
                    async for chunk in chunks:
                        if shown := judge.take(chunk):
                            yield shown
            except Exception as error:
                pass_or_raise(error, judge, tells_end)
            answer = judge.end()
            yield shown_of(answer)
            if not answer.faults:
                if (streams := streams_of_whole.get()) is not None:
                    streams.append((self, answer))
                return
            messages = corrected(messages, answer)
        raise AnswerUnusable(NO_CALL)

    return _astream


def _judged_stream(ask: Callable[..., Iterator[ChatGenerationChunk]], tells_end: bool) -> Any:
    def _stream(
        self: BaseChatModel, messages: Messages, *args: Any, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        for _ in range(1 + CORRECTIONS):
            judge = judging(messages, tells_end)
            try:
                for chunk in ask(self, messages, *args, **kwargs):
                    if shown := judge.take(chunk):
                        yield shown
            except Exception as error:
                pass_or_raise(error, judge, tells_end)
            answer = judge.end()
            yield shown_of(answer)
            if not answer.faults:
                return
            messages = corrected(messages, answer)
        raise AnswerUnusable(NO_CALL)

    return _stream


def _judged_agenerate(ask: Callable[..., Any], tells_end: bool) -> Any:
    async def _agenerate(self: BaseChatModel, messages: Messages, *args: Any, **kwargs: Any) -> ChatResult:
        earlier: list[UsageMetadata | None] = []
        for _ in range(1 + CORRECTIONS):
            judge, streams = judging(messages, tells_end), Streams()
            token = streams_of_whole.set(streams)
            try:
                result = await ask(self, messages, *args, **kwargs)
                if is_judged(self, result, streams):
                    return cast("ChatResult", result)
                whole, answer = judged_result(result, judge)
            except Exception as error:
                raise as_read(error, tells_end) from error
            finally:
                streams_of_whole.reset(token)
            earlier.append(answer.usage)
            if not answer.faults:
                return using(whole, earlier)
            messages = corrected(messages, answer)
        raise AnswerUnusable(NO_CALL)

    return _agenerate


def _judged_generate(ask: Callable[..., ChatResult], tells_end: bool) -> Any:
    def _generate(self: BaseChatModel, messages: Messages, *args: Any, **kwargs: Any) -> ChatResult:
        earlier: list[UsageMetadata | None] = []
        for _ in range(1 + CORRECTIONS):
            judge = judging(messages, tells_end)
            try:
                whole, answer = judged_result(ask(self, messages, *args, **kwargs), judge)
            except Exception as error:
                raise as_read(error, tells_end) from error
            earlier.append(answer.usage)
            if not answer.faults:
                return using(whole, earlier)
            messages = corrected(messages, answer)
        raise AnswerUnusable(NO_CALL)

    return _generate


JUDGED: dict[str, Callable[[Any, bool], Any]] = {
    "_astream": _judged_astream,
    "_stream": _judged_stream,
    "_agenerate": _judged_agenerate,
    "_generate": _judged_generate,
}


def judging(messages: Messages, tells_end: bool) -> Judge:
    """Return the judge of an answer that is asked for now.

    pydantic warns where a provider's object has another type than its client expects, and quotes the object:
    an answer would be in the log. Filters are the process's, so this one, for these words alone, stays.
    """
    if not warnings.filters or warnings.filters[0][1] != QUOTING:  # to put it there again costs 20 µs
        warnings.filterwarnings("ignore", QUOTING.pattern, UserWarning)
    return Judge(messages, tells_end=tells_end)


def pass_or_raise(error: Exception, judge: Judge, tells_end: bool) -> None:
    """Let an error pass that came after the answer's end; raise what any other stands for."""
    raised = as_read(error, tells_end)
    failure = failure_of(raised)
    if failure is not None and failure.outage and judge.ended:
        return
    raise raised from (None if raised is error else error)


def as_read(error: Exception, tells_end: bool) -> Exception:
    """Return what an error stands for: an answer that its client cannot read is none.

    The client's own message may quote it. Of a model of this process such an error is a fault of ours.
    """
    if not tells_end or not isinstance(error, UNREADABLE) or failure_of(error) is not None:
        return error
    return ModelSaidNothing(f"what it sent cannot be read ({type(error).__name__})")


def shown_of(answer: Answer) -> ChatGenerationChunk:
    """Return an answer's last chunk; of one that is asked for again, what it used and a blank line."""
    if not answer.faults:
        return answer.last
    between = "\n\n" if answer.text and isinstance(answer.last.message.content, str) else ""
    return ChatGenerationChunk(message=AIMessageChunk(content=between, usage_metadata=answer.usage))


def corrected(messages: Sequence[BaseMessage], answer: Answer) -> Messages:
    """Return the messages with an answer whose tool calls are faulty, and what is wrong with them."""
    return [*messages, *told_of(answer.faults, answer.calls, answer.text)]


def is_judged(model: BaseChatModel, result: ChatResult, streams: Streams) -> bool:
    """Tell whether a whole answer is what the model has streamed meanwhile: that was judged as it came."""
    if len(streams) != 1 or len(result.generations) != 1:
        return False
    asked, answer = streams[0]
    return asked is model and result.generations[0].message.content == answer.text


def judged_result(result: ChatResult, judge: Judge) -> tuple[ChatResult, Answer]:
    """Return a whole answer as it is judged. Raises the ModelFailed that it is, if it cannot be used."""
    if not result.generations:
        raise ModelSaidNothing("there is no answer in what it sent")
    first, *others = result.generations
    if not isinstance(first.message, AIMessage):
        return result, Answer(ChatGenerationChunk(message=AIMessageChunk(content="")), [], [], "")
    shown = judge.take(as_chunk(result))
    answer = judge.end()
    parts = shown.message + answer.last.message if shown else answer.last.message
    message = message_chunk_to_message(cast("AIMessageChunk", parts))
    message.id, message.name = first.message.id, first.message.name
    info = {**(first.generation_info or {})}
    if "finish_reason" in message.response_metadata:
        info["finish_reason"] = message.response_metadata["finish_reason"]
    whole = ChatGeneration(message=message, generation_info=info or None)
    return ChatResult(generations=[whole, *others], llm_output=result.llm_output), answer


def using(result: ChatResult, answers: Sequence[UsageMetadata | None]) -> ChatResult:
    """Return the result with what it took together with those that were asked for again."""
    message = result.generations[0].message
    if isinstance(message, AIMessage) and len(answers) > 1:
        message.usage_metadata = reduce(add_usage, answers)
    return result


def as_chunk(result: ChatResult) -> ChatGenerationChunk:
    """Return a whole answer as the only chunk of a stream.

    Anthropic's package tells how it ended beside the message; LangChain adds that to it later.
    """
    generation = result.generations[0]
    message = cast("AIMessage", generation.message)
    beside = {name: value for name, value in (result.llm_output or {}).items() if name in REASONS}
    chunk = AIMessageChunk(
        content=message.content,
        additional_kwargs=message.additional_kwargs,
        response_metadata={**beside, **message.response_metadata},
        usage_metadata=message.usage_metadata,
        tool_calls=message.tool_calls,
        invalid_tool_calls=message.invalid_tool_calls,
        id=message.id,
        name=message.name,
    )
    return ChatGenerationChunk(message=chunk, generation_info=generation.generation_info)
