"""Whether a stream is asked to tell what it used, which OpenAI's API has a `stream_options` for.

Some servers refuse the option with a 400 or 422. `auto` asks for it until a server does so, and then never
again: what such a server's answers use is estimated (`gatehouse.models.judged.usage_reports`).
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from http import HTTPStatus
from typing import Any, TypeVar

import structlog
from langchain_core.language_models import BaseChatModel
from langchain_core.outputs import ChatGenerationChunk

from gatehouse.models.failures import status_of
from gatehouse.models.overriding import overriding

log = structlog.get_logger(__name__)

Model = TypeVar("Model", bound=BaseChatModel)


class Asking:
    """What is known of one server: whether it has taken the option, or refused it."""

    def __init__(self) -> None:
        self.taken = False

    def refused(self, model: Any, error: Exception) -> bool:
        """Tell whether an error is about the option, as far as can be told, and leave it out if it is."""
        if not model.stream_usage:
            return False
        status, said = status_of(error), str(error).lower()
        named = "stream_options" in said or "include_usage" in said
        unnamed = status == HTTPStatus.UNPROCESSABLE_ENTITY and not self.taken
        if not unnamed and not (
            named and status in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY)
        ):
            return False
        model.stream_usage = False
        return True


def asking_for_usage(model: Model) -> Model:
    """Return a copy of a model of LangChain's package for OpenAI that finds out whether its server tells."""
    kind, asking = type(model), Asking()
    return overriding(model, {"_astream": _astream_of(kind, asking), "_stream": _stream_of(kind, asking)})


def _astream_of(kind: Any, asking: Asking) -> Any:
    async def _astream(self: Any, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        try:
            async with aclosing(kind._astream(self, *args, **kwargs)) as chunks:
                async for chunk in chunks:
                    asking.taken = True
                    yield chunk
        except Exception as error:
            if not asking.refused(self, error):
                raise
        else:
            return
        async for chunk in again(kind._astream(self, *args, **kwargs), self):
            yield chunk

    return _astream


def _stream_of(kind: Any, asking: Asking) -> Any:
    def _stream(self: Any, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        try:
            for chunk in kind._stream(self, *args, **kwargs):
                asking.taken = True
                yield chunk
        except Exception as error:
            if not asking.refused(self, error):
                raise
        else:
            return
        yield from again_in_thread(kind._stream(self, *args, **kwargs), self)

    return _stream


async def again(stream: Any, model: Any) -> AsyncIterator[ChatGenerationChunk]:
    """Yield a stream that does not ask for the option; if it fails too, the option was not the reason."""
    told = False
    try:
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                told = told or noted(model)
                yield chunk
    except Exception:
        model.stream_usage = not told
        raise


def again_in_thread(stream: Iterator[ChatGenerationChunk], model: Any) -> Iterator[ChatGenerationChunk]:
    """Yield as `again` does."""
    told = False
    try:
        for chunk in stream:
            told = told or noted(model)
            yield chunk
    except Exception:
        model.stream_usage = not told
        raise


def noted(model: Any) -> bool:
    log.warning("the model's server tells no usage of streams: it is estimated", model=model.model_name)
    return True
