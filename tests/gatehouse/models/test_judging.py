"""A model's answer judged where it arrives: streamed and whole, for event loops and in threads."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, cast

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult

from gatehouse.models.errors import AnswerUnusable, ModelCutOff, ModelDeclined, ModelFailed, ModelSaidNothing
from gatehouse.models.judged.endings import added, ending_of, kind_of
from gatehouse.models.judged.judging import Judge
from gatehouse.models.judged.model import judged
from gatehouse.models.judged.usage_reports import ESTIMATED, estimated, tokens_in, used

Said = list[ChatGenerationChunk]


class Telling(BaseChatModel):
    """A model of a provider that always tells how an answer ended; each turn says what was planned for it."""

    turns: list[Said]
    asked: list[list[BaseMessage]] = []

    @property
    def _llm_type(self) -> str:
        return "telling"

    def _next(self, messages: list[BaseMessage]) -> Said:
        self.asked.append(messages)
        return [chunk.model_copy(deep=True) for chunk in self.turns.pop(0)]

    def _stream(self, messages: Any, *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        yield from self._next(messages)

    async def _astream(self, messages: Any, *_: Any, **__: Any) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._next(messages):
            yield chunk

    def _generate(self, messages: Any, *_: Any, **__: Any) -> ChatResult:
        return generate_from_stream(iter(self._next(messages)))

    async def _agenerate(self, messages: Any, *_: Any, **__: Any) -> ChatResult:
        return generate_from_stream(iter(self._next(messages)))


Telling.__module__ = "langchain_groq.of_a_test"


def part(text: str = "", finish: str = "", call: str | None = None, **more: Any) -> ChatGenerationChunk:
    calls = [] if call is None else [tool_call_chunk(name="roi", args=call, id="c", index=0)]
    metadata = {"finish_reason": finish} if finish else {}
    message = AIMessageChunk(content=text, tool_call_chunks=calls, response_metadata=metadata, **more)
    return ChatGenerationChunk(message=message)


async def streamed(model: BaseChatModel) -> AIMessageChunk:
    whole: Any = None
    async for chunk in model.astream("?"):
        whole = chunk if whole is None else whole + chunk
    return cast("AIMessageChunk", whole)


async def streamed_in_thread(model: BaseChatModel) -> Any:
    def add() -> Any:
        whole: Any = None
        for chunk in model.stream("?"):
            whole = chunk if whole is None else whole + chunk
        return whole

    return await asyncio.to_thread(add)


async def whole(model: BaseChatModel) -> Any:
    return await model.ainvoke("?")


async def whole_in_thread(model: BaseChatModel) -> Any:
    return await asyncio.to_thread(model.invoke, "?")


Ask = Callable[[BaseChatModel], Any]
EVERY_WAY = pytest.mark.parametrize("ask", [streamed, streamed_in_thread, whole, whole_in_thread])


@EVERY_WAY
@pytest.mark.parametrize(
    ("said", "failure"),
    [
        ([part("Well"), part("")], ModelCutOff),
        ([part("Well"), part(finish="error")], ModelCutOff),
        ([part(call='{"a": 1}'), part(finish="length")], ModelCutOff),
        ([part(call='{"a": 1'), part(finish="length")], ModelCutOff),
        ([part(""), part(finish="stop")], ModelSaidNothing),
        ([part("")], ModelSaidNothing),
        ([part(call='{"a": 1}'), part(finish="refusal")], ModelDeclined),
    ],
)
async def test_an_answer_that_cannot_be_used_is_a_failure(
    ask: Ask, said: Said, failure: type[ModelFailed]
) -> None:
    with pytest.raises(failure):
        await ask(judged(Telling(turns=[said], asked=[])))


def test_no_word_is_an_answer_of_a_model_that_does_not_tell_its_end() -> None:
    judge = Judge([HumanMessage("?")], tells_end=False)
    judge.take(part(""))
    assert judge.end().text == ""


@EVERY_WAY
async def test_a_faulty_call_is_told_to_the_model_and_its_use_is_counted(ask: Ask) -> None:
    used = UsageMetadata(input_tokens=5, output_tokens=2, total_tokens=7)
    faulty = [part(call="[1]"), part(finish="tool_calls", usage_metadata=used)]
    good = [part(call='{"a": 1}'), part(finish="tool_calls", usage_metadata=used)]
    model = judged(Telling(turns=[faulty, good], asked=[]))
    answer = await ask(model)
    assert [call["args"] for call in answer.tool_calls] == [{"a": 1}]
    assert answer.usage_metadata["total_tokens"] == 14
    asked, told = model.asked
    assert [type(message) for message in asked] == [HumanMessage]
    assert isinstance(told[-1], ToolMessage)
    assert told[-1].status == "error"


@EVERY_WAY
async def test_a_model_that_never_gets_it_right_fails(ask: Ask) -> None:
    faulty = [part(call="[1]"), part(finish="tool_calls")]
    model = judged(Telling(turns=[faulty] * 4, asked=[]))
    with pytest.raises(AnswerUnusable):
        await ask(model)
    assert len(model.asked) == 3


@EVERY_WAY
async def test_what_nobody_counted_is_estimated(ask: Ask) -> None:
    answer = await ask(judged(Telling(turns=[[part("x" * 40), part(finish="stop")]], asked=[])))
    assert answer.usage_metadata["output_tokens"] == 10
    assert answer.response_metadata[ESTIMATED]


async def test_raw_calls_among_the_extras_wait_too() -> None:
    raw = [{"id": "c", "function": {"name": "roi", "arguments": '{"a": 1}'}, "type": "function"}]
    said = [part(additional_kwargs={"tool_calls": raw}), part(finish="length")]
    model = judged(Telling(turns=[said], asked=[]))
    with pytest.raises(ModelCutOff):
        async for chunk in model.astream("?"):
            assert not chunk.tool_calls


def test_a_judged_model_is_what_its_class_is() -> None:
    model = judged(Telling(turns=[], asked=[]))
    assert isinstance(model, Telling)
    assert type(model).__name__ == "Telling"


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("stop", "stop"), ("STOP", "stop"), ("FinishReason.STOP", "stop"), ("end_turn", "stop"), ("COMPLETE", "stop"),
        ("max_tokens", "length"), ("MAX_TOKENS", "length"), ("model_length", "length"),
        ("content_filter", "content_filter"), ("RECITATION", "content_filter"), ("blocked: OTHER", "content_filter"), ("guardrail_intervened", "content_filter"),
        ("refusal", "refusal"), ("MALFORMED_FUNCTION_CALL", "failed"), ("abort", "failed"), ("cancelled", "failed"),
        ("unheard_of", "unknown"),
    ],
)  # fmt: skip
def test_the_words_of_providers_have_their_kind(word: str, kind: str) -> None:
    assert kind_of(word) == kind


@pytest.mark.parametrize(
    ("metadata", "word"),
    [
        ({"finish_reason": "stop"}, "stop"),
        ({"stop_reason": "end_turn"}, "end_turn"),
        ({"done_reason": "stop", "done": True}, "stop"),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            "max_output_tokens",
        ),
        ({"status": "completed"}, "completed"),
    ],
)
def test_the_end_is_told_in_the_metadata_of_any_provider(metadata: dict[str, Any], word: str) -> None:
    ending = ending_of(metadata)
    assert ending is not None
    assert ending.word == word


def test_metadata_that_tells_no_end_has_none() -> None:
    assert ending_of({"finish_reason": None, "model_name": "m", "status": "in_progress"}) is None


@pytest.mark.parametrize(
    ("before", "told", "ending"),
    [
        ("length", "stop", "length"),  # of a proxy that ends every stream so
        ("length", "content_filter", "content_filter"),
        ("stop", "length", "length"),
        ("eot", "stop", "stop"),
    ],
)
def test_the_last_ending_counts_unless_it_is_a_mere_stop(before: str, told: str, ending: str) -> None:
    assert added({"finish_reason": before}, {"finish_reason": told}) == {"finish_reason": ending}


def reports(*counts: tuple[int, int]) -> list[UsageMetadata]:
    return [UsageMetadata(input_tokens=i, output_tokens=o, total_tokens=i + o) for i, o in counts]


@pytest.mark.parametrize(
    ("told", "total"),
    [
        ([(20, 1), (20, 2), (20, 3)], 23),  # so far, each time
        ([(20, 1), (20, 3), (0, 0)], 23),
        ([(0, 1), (0, 2), (0, 5)], 5),
        ([(5, 0), (0, 2)], 7),  # in parts
        ([(5, 1), (0, 1), (0, 1)], 8),
        ([(0, 1), (0, 1), (0, 1)], 3),
        ([(5, 2)], 7),
    ],
)
def test_reports_of_use_come_to_what_was_used(told: list[tuple[int, int]], total: int) -> None:
    found = used(reports(*told))
    assert found is not None
    assert found["total_tokens"] == total


@pytest.mark.parametrize("told", [[], [(0, 0)]])
def test_reports_that_count_nothing_are_none(told: list[tuple[int, int]]) -> None:
    assert used(reports(*told)) is None


def test_an_estimate_knows_that_other_scripts_take_more() -> None:
    assert tokens_in(8) == 2
    assert tokens_in(8, 6) == 4
    assert estimated([HumanMessage("x" * 8)], 4, 0)["total_tokens"] == 3
