"""Streams a model into one answer, and tells its tokens to those who hear them inline.

That is how a graph's node asks its model while the graph is streamed. LangChain's own way calls every handler
for each token through two coroutines, also one that does nothing with tokens, and gathers tasks of which
there are none: a fifth of what the model's part of an agent's answer took.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from inspect import iscoroutinefunction
from typing import Any

import structlog
from langchain_core.callbacks import (
    AsyncCallbackHandler,
    AsyncCallbackManagerForLLMRun,
    BaseCallbackHandler,
)
from langchain_core.language_models.chat_models import _gen_info_and_msg_metadata, generate_from_stream
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.utils.utils import LC_ID_PREFIX

from gatehouse.models.judged.judging import EVERY_CHUNKS

log = structlog.get_logger(__name__)

DEAF = (BaseCallbackHandler.on_llm_new_token, AsyncCallbackHandler.on_llm_new_token)

Listeners = Sequence[BaseCallbackHandler]


def inline_listeners(handlers: Sequence[BaseCallbackHandler]) -> Listeners | None:
    """Return those who do something with tokens; None when one of them is not called inline."""
    listening = [handler for handler in handlers if hears_tokens(handler)]
    if all(one.run_inline and not iscoroutinefunction(one.on_llm_new_token) for one in listening):
        return listening
    return None


def hears_tokens(handler: BaseCallbackHandler) -> bool:
    """Tell whether a handler does something with tokens."""
    return not handler.ignore_llm and getattr(handler.on_llm_new_token, "__func__", None) not in DEAF


async def answer_told(
    chunks: AsyncIterator[ChatGenerationChunk], listeners: Listeners, run: AsyncCallbackManagerForLLMRun
) -> ChatResult:
    """Return what the chunks add up to, each of them told. Raises ValueError when there is none."""
    identifier = f"{LC_ID_PREFIX}-{run.run_id}"
    said: list[ChatGenerationChunk] = []

    def take(chunk: ChatGenerationChunk) -> None:
        if chunk.message.id is None:
            chunk.message.id = identifier
        for one in listeners:
            tell(one.on_llm_new_token, chunk, run, raises=one.raise_error)
        said.append(chunk)

    async for chunk in chunks:
        if chunk.generation_info:
            chunk.message.response_metadata = _gen_info_and_msg_metadata(chunk)
        take(chunk)
    if said and not getattr(said[-1].message, "chunk_position", None):  # as LangChain marks a stream's end
        blank: str | list[Any] = "" if isinstance(said[-1].message.content, str) else []
        take(ChatGenerationChunk(message=AIMessageChunk(content=blank, chunk_position="last")))
    result = generate_from_stream(iter(joined(said)))
    for generation in result.generations:
        generation.message.response_metadata = _gen_info_and_msg_metadata(generation)
    return result


def joined(chunks: Sequence[ChatGenerationChunk]) -> list[ChatGenerationChunk]:
    """Return chunks that add up to the same: those in a row that are text alone are one.

    LangChain looks through each of them for a dozen things.
    """
    joined: list[ChatGenerationChunk] = []
    texts: list[str] = []
    for chunk in chunks:
        alone = is_words(chunk)
        if alone and texts and goes_on(joined[-1].message, chunk.message):
            texts.append(str(chunk.message.content))
            continue
        if len(texts) > 1:
            joined[-1] = said_by(joined[-1].message, "".join(texts))
        joined.append(chunk)
        texts = [str(chunk.message.content)] if alone else []
    if len(texts) > 1:
        joined[-1] = said_by(joined[-1].message, "".join(texts))
    return joined


def is_words(chunk: ChatGenerationChunk) -> bool:
    """Tell a chunk of text with nothing beside it."""
    message = chunk.message
    return type(message) is AIMessageChunk and (
        type(message.content) is str
        and not chunk.generation_info
        and not message.additional_kwargs
        and not message.tool_call_chunks
        and not message.usage_metadata
        and not message.chunk_position
        and not message.name
        and message.response_metadata.keys() <= EVERY_CHUNKS
    )


def goes_on(before: BaseMessage, message: BaseMessage) -> bool:
    return before.id == message.id and before.response_metadata == message.response_metadata


def said_by(message: BaseMessage, text: str) -> ChatGenerationChunk:
    return ChatGenerationChunk(
        message=AIMessageChunk(content=text, id=message.id, response_metadata=message.response_metadata)
    )


def tell(
    hear: Callable[..., Any], chunk: ChatGenerationChunk, run: AsyncCallbackManagerForLLMRun, *, raises: bool
) -> None:
    """Tell of a chunk. What hearing it raises is logged alone, unless the listener wants it raised."""
    message: BaseMessage = chunk.message
    try:
        hear(
            message.content,
            chunk=chunk,
            run_id=run.run_id,
            parent_run_id=run.parent_run_id,
            tags=run.tags,
        )
    except Exception:
        if raises:
            raise
        log.exception("a listener to a model's tokens failed")
