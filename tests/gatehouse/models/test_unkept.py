"""A guarded model that is asked the short way: the same words, and the same account of them."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple
from weakref import ref

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.globals import set_llm_cache
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import RunnableConfig

from gatehouse.models.guarded.calls import Candidate
from gatehouse.models.guarded.circuit import Circuit
from gatehouse.models.guarded.model import GuardedChatModel
from gatehouse.models.guarded.unkept import answer_unkept, can_be_unkept, unkept
from gatehouse.models.scripted.chat import ScriptedChatModel
from gatehouse.runs.events import Usage
from gatehouse.runs.metering import UsageMeter


class Told(ScriptedChatModel):
    """Says these chunks."""

    chunks: tuple[ChatGenerationChunk, ...] = ()

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self.chunks:
            yield chunk.model_copy(deep=True)


def usage(read: int, written: int) -> UsageMetadata:
    return UsageMetadata(input_tokens=read, output_tokens=written, total_tokens=read + written)


def chunk(text: str, info: dict[str, Any] | None = None, **fields: Any) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=AIMessageChunk(content=text, **fields), generation_info=info)


SPLIT = Told(
    chunks=(
        chunk("It ", response_metadata={"model_name": "split-1"}, usage_metadata=usage(5, 0)),
        chunk("is", {"finish_reason": "stop"}),
        chunk("", usage_metadata=usage(0, 2)),
    )
)
NAMED_LAST = Told(chunks=(chunk("Four"), chunk("", {"model_name": "last-1"}, usage_metadata=usage(7, 1))))
MARKED = Told(chunks=(chunk("Four", usage_metadata=usage(7, 1)), chunk("", chunk_position="last")))
SAID: dict[str, tuple[BaseChatModel, str]] = {
    "usage with the last chunk": (ScriptedChatModel(), "[say It is four.] what is two and two?"),
    "usage in two chunks, the name in the first": (SPLIT, "hi"),
    "the name in the last chunk's information": (NAMED_LAST, "hi"),
    "its end marked by itself": (MARKED, "hi"),
    "a failure": (ScriptedChatModel(), "[tokens 5] [fail after 3]"),
    "a failure before the first token": (ScriptedChatModel(), "[fail]"),
    "nothing at all": (Told(), "hi"),
}


def guarded(model: BaseChatModel) -> GuardedChatModel:
    return GuardedChatModel.of([Candidate("model", model, Circuit(0, 1.0))])


def said(
    model: GuardedChatModel, question: str, listeners: Sequence[AsyncCallbackHandler]
) -> AsyncGenerator[AIMessageChunk]:
    """Return the messages that a model says to a question."""

    async def ask() -> str:
        return question

    return unkept(model, ask, listeners, lambda message: message)


def telling(meters: list[UsageMeter]) -> RunnableConfig:
    return {"callbacks": [*meters]}


async def heard(stream: Callable[[list[UsageMeter]], AsyncIterator[Any]]) -> tuple[Any, ...]:
    """Return what was said, how it failed, and what the meter makes of it."""
    meter, words, failure = UsageMeter(), [], None
    try:
        async for message in stream([meter]):
            words.append((message.content, message.chunk_position))
    except Exception as error:
        failure = (type(error), str(error))
    return words, failure, meter.settled("x" * 40)


@pytest.mark.parametrize("name", SAID)
async def test_says_and_counts_what_langchain_does(name: str) -> None:
    model, question = guarded(SAID[name][0]), SAID[name][1]
    assert can_be_unkept(model)
    found = await heard(lambda meters: said(model, question, meters))
    assert found == await heard(lambda meters: model.astream(question, telling(meters)))


@pytest.mark.parametrize("name", SAID)
async def test_answers_in_one_piece_as_langchain_does(name: str) -> None:
    model, question = guarded(SAID[name][0]), SAID[name][1]

    async def short(meters: list[UsageMeter]) -> AsyncIterator[Any]:
        yield plain(await answer_unkept(model, question, telling(meters), meters))

    async def whole(meters: list[UsageMeter]) -> AsyncIterator[Any]:
        yield plain(await model.ainvoke(question, telling(meters)))

    assert await heard(short) == await heard(whole)


async def test_answers_from_the_cache_of_the_process() -> None:
    cache = InMemoryCache()
    set_llm_cache(cache)
    try:
        first, second = [
            await answer_unkept(guarded(ScriptedChatModel()), "[tokens 3]", {}, [UsageMeter()])
            for _ in range(2)
        ]
    finally:
        set_llm_cache(None)
    assert first.content == second.content
    assert len(cache._cache) == 1


def plain(message: Any) -> Any:
    """Return a message without the id that each call of a model has, as something that `heard` reads."""
    return Answer(message.model_copy(update={"id": None}), "whole")


class Answer(NamedTuple):
    content: Any
    chunk_position: str


async def test_counts_a_call_that_was_cut_off() -> None:
    meter = UsageMeter()
    async with aclosing(said(guarded(ScriptedChatModel()), "x" * 40, [meter])) as messages:
        await anext(messages)
    assert list(meter.settled("y" * 40).values()) == [Usage(10, 10, 20)]


async def test_answers_though_a_listener_fails() -> None:
    class Failing(AsyncCallbackHandler):
        async def on_chat_model_start(self, *_arguments: Any, **_named: Any) -> None:
            raise ValueError

    meter = UsageMeter()
    listeners = [Failing(), meter]
    texts = [one.text async for one in said(guarded(ScriptedChatModel()), "[tokens 2]", listeners)]
    assert "".join(texts) == "t1 t2"
    assert meter.usage.output_tokens == 2


async def test_keeps_none_of_what_was_said() -> None:
    seen, alive = [], []
    async for message in said(guarded(ScriptedChatModel()), "[tokens 50]", []):
        seen.append(ref(message))
        alive.append(sum(one() is not None for one in seen))
    assert len(alive) == 51
    assert max(alive) <= 3  # the one that is looked at, and those on their way


class TestCanBeUnkept:
    def test_no_other_model(self) -> None:
        assert not can_be_unkept(ScriptedChatModel())

    def test_no_model_that_answers_in_one_piece(self) -> None:
        assert not can_be_unkept(guarded(ScriptedChatModel(disable_streaming=True)))

    def test_no_model_whose_content_langchain_rewrites(self) -> None:
        assert not can_be_unkept(guarded(ScriptedChatModel(output_version="v1")))

    def test_no_bound_model(self) -> None:
        assert not can_be_unkept(guarded(ScriptedChatModel()).bind(stop=["."]))
