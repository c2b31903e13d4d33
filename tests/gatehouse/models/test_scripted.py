"""The scripted chat model: it does what the cues in a message tell it to."""

import asyncio
import time
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel, Field

from gatehouse.models.scripted.chat import BURST, ScriptedChatModel, ScriptedFailure
from gatehouse.models.scripted.cues import BadCue

Streamed = list[AIMessageChunk]


async def streamed(message: str | list[BaseMessage], model: ScriptedChatModel | None = None) -> Streamed:
    found = [chunk async for chunk in (model or ScriptedChatModel()).astream(message)]
    assert all(isinstance(chunk, AIMessageChunk) for chunk in found)
    return found


async def tokens(message: str, model: ScriptedChatModel | None = None) -> list[str]:
    return [chunk.text for chunk in await streamed(message, model) if chunk.text]


async def called(message: str | list[BaseMessage]) -> list[tuple[str, dict[str, Any]]]:
    answer = await ScriptedChatModel().ainvoke(message)
    return [(call["name"], call["args"]) for call in answer.tool_calls]


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class TestWords:
    async def test_tokens_are_numbered(self) -> None:
        assert await tokens("please [tokens 3]") == ["t1", " t2", " t3"]

    async def test_a_text_is_said_a_word_a_token(self) -> None:
        assert await tokens("[say hello  there]") == ["hello", "  there"]

    async def test_cues_are_followed_in_order_and_their_words_kept_apart(self) -> None:
        assert "".join(await tokens("[say one two] and [tokens 2] [say three]")) == "one two t1 t2 three"

    async def test_without_cues_it_has_its_own_answer(self) -> None:
        assert "".join(await tokens("hello")) == "This is a scripted answer."
        assert await tokens("hello", ScriptedChatModel(tokens=("a", " b"))) == ["a", " b"]

    async def test_without_a_human_message_too(self) -> None:
        assert "".join(c.text for c in await streamed([AIMessage("x")])) == "This is a scripted answer."

    @pytest.mark.parametrize("text", ["[say hello", "[tokensy 3]", "[other]", "[]"])
    async def test_what_is_no_cue_is_no_cue(self, text: str) -> None:
        assert "".join(await tokens(text)) == "This is a scripted answer."

    async def test_only_the_last_human_message_counts(self) -> None:
        messages = [HumanMessage("[say old]"), AIMessage("old"), HumanMessage("[say new]")]
        assert (await ScriptedChatModel().ainvoke(messages)).text == "new"

    async def test_the_last_chunk_says_that_it_is_the_last(self) -> None:
        chunks = await streamed("[tokens 2]")
        assert [chunk.chunk_position for chunk in chunks] == [None, None, "last"]
        assert chunks[-1].response_metadata["finish_reason"] == "stop"


class TestWays:
    """Every way of LangChain to call a model gives the same."""

    async def test_of_asking(self) -> None:
        model, message = ScriptedChatModel(), '[say a b] [tool add {"a": 1, "b": 2}]'
        answers = [
            model.invoke(message),
            await model.ainvoke(message),
            sum_of(list(model.stream(message))),
            sum_of(await streamed(message)),
        ]
        assert {answer.text for answer in answers} == {"a b"}
        assert [answer.tool_calls[0]["args"] for answer in answers] == [{"a": 1, "b": 2}] * 4
        assert [answer.usage_metadata for answer in answers] == [answers[0].usage_metadata] * 4


def sum_of(chunks: list[Any]) -> AIMessageChunk:
    whole = sum(chunks[1:], start=chunks[0])
    assert isinstance(whole, AIMessageChunk)
    return whole


class TestUsage:
    async def test_it_counts_the_words_read_and_the_tokens_said(self) -> None:
        answer = await ScriptedChatModel().ainvoke([HumanMessage("one two [tokens 5]"), AIMessage("three")])
        assert answer.usage_metadata == {"input_tokens": 5, "output_tokens": 5, "total_tokens": 10}

    async def test_it_comes_once_in_a_stream(self) -> None:
        counted = [chunk.usage_metadata for chunk in await streamed("[tokens 3]")]
        assert counted[:-1] == [None] * 3
        assert counted[-1] is not None


class TestDelay:
    """Pauses are read, not timed, but for one of them."""

    @staticmethod
    def pauses(message: str, model: ScriptedChatModel | None = None) -> list[float]:
        events = (model or ScriptedChatModel())._events([HumanMessage(message)], {})
        return [event for event in events if isinstance(event, float | int)]

    def test_before_every_token_from_there_on(self) -> None:
        assert self.pauses("[tokens 2] [delay 0.5] [tokens 2] [delay 2] [say x]") == [0.5, 0.5, 2.0]

    def test_holds_for_the_answer_without_words_of_its_own(self) -> None:
        assert self.pauses("[delay 0.5]") == [0.5] * 5

    def test_the_model_s_own_unless_the_message_sets_one(self) -> None:
        model = ScriptedChatModel(delay=0.25)
        assert self.pauses("[tokens 2]", model) == [0.25, 0.25]
        assert self.pauses("[delay 0] [tokens 2]", model) == []

    def test_a_burst_lets_others_have_their_turn(self) -> None:
        assert self.pauses(f"[tokens {2 * BURST}]") == [0, 0]

    async def test_other_tasks_go_on_meanwhile(self) -> None:
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        task = asyncio.create_task(others())
        await ScriptedChatModel().ainvoke(f"[tokens {4 * BURST}]")
        task.cancel()
        assert turns >= 3

    @pytest.mark.parametrize("way", ["stream", "astream"])
    async def test_is_waited_for(self, way: str) -> None:
        began = time.monotonic()
        if way == "stream":
            await asyncio.to_thread(lambda: list(ScriptedChatModel().stream("[delay 0.05] [tokens 3]")))
        else:
            await streamed("[delay 0.05] [tokens 3]")
        assert time.monotonic() - began >= 0.149


class TestFailures:
    async def test_before_the_first_token(self) -> None:
        with pytest.raises(ScriptedFailure, match="scripted failure"):
            await tokens("[tokens 3] [fail]")

    async def test_after_some(self) -> None:
        heard: list[str] = []
        with pytest.raises(ScriptedFailure):
            async for chunk in ScriptedChatModel().astream("[tokens 9] [fail after 3]"):
                heard.append(chunk.text)
        assert heard == ["t1", " t2", " t3"]

    async def test_after_more_than_there_are(self) -> None:
        with pytest.raises(ScriptedFailure):
            await tokens("[tokens 2] [fail after 30]")

    @pytest.mark.parametrize(
        ("cue", "text"), [("[fail a SECRET]", "a SECRET"), ("[fail after 0 SECRET]", "SECRET")]
    )
    async def test_with_a_text(self, cue: str, text: str) -> None:
        with pytest.raises(ScriptedFailure) as failed:
            await tokens(cue)
        assert str(failed.value) == text

    async def test_of_a_later_turn(self) -> None:
        message = '[tool add {"a": 1, "b": 2}] [fail]'
        assert await called(message) == [("add", {"a": 1, "b": 2})]
        with pytest.raises(ScriptedFailure):
            await called(after_tool(message, "3"))


def after_tool(message: str, *results: str) -> list[BaseMessage]:
    """Return a conversation in which a tool was called for `message` once for every result."""
    messages: list[BaseMessage] = [HumanMessage(message)]
    for i, result in enumerate(results):
        call = {"name": "add", "args": {}, "id": f"call-{i}", "type": "tool_call"}
        messages += [AIMessage("", tool_calls=[call]), ToolMessage(result, tool_call_id=f"call-{i}")]
    return messages


class TestTools:
    async def test_a_cue_calls_one(self) -> None:
        assert await called('[tool add {"a": 1, "b": [2, {"c": "]"}]}] now') == [
            ("add", {"a": 1, "b": [2, {"c": "]"}]})
        ]

    async def test_without_arguments(self) -> None:
        assert await called("[tool list_holdings]") == [("list_holdings", {})]

    async def test_the_call_has_an_id_of_its_own(self) -> None:
        first, second = [await ScriptedChatModel().ainvoke("[tool a]") for _ in range(2)]
        assert first.tool_calls[0]["id"] != second.tool_calls[0]["id"]
        assert first.response_metadata["finish_reason"] == "tool_calls"

    async def test_after_its_result_the_next_cue_follows(self) -> None:
        message = "[say First.] [tool one] [say Then.] [tool two] [say Done.]"
        assert [call["name"] for call in (await answer(message)).tool_calls] == ["one"]
        second = await answer(message, "1")
        assert (second.text, [call["name"] for call in second.tool_calls]) == ("Then.", ["two"])
        assert (await answer(message, "1", "2")).text == "Done."

    async def test_when_the_cues_end_with_a_tool_its_results_are_quoted(self) -> None:
        assert (await answer("[tool one] [tool two]", "1", "2")).text == "The results: 1; 2"


async def answer(message: str, *results: str) -> AIMessage:
    return await ScriptedChatModel().ainvoke(after_tool(message, *results))


class TestForcedCalls:
    @pytest.mark.parametrize("choice", ["any", "required", "add"])
    async def test_have_valid_arguments(self, choice: str) -> None:
        made = await ScriptedChatModel().bind_tools([add], tool_choice=choice).ainvoke("one two three")
        assert [(call["name"], call["args"]) for call in made.tool_calls] == [("add", {"a": 3, "b": 3})]

    @pytest.mark.parametrize("choice", [None, "auto", "none"])
    async def test_are_not_made_for_nothing(self, choice: str | None) -> None:
        made = await ScriptedChatModel().bind_tools([add], tool_choice=choice).ainvoke("one two three")
        assert not made.tool_calls
        assert made.text

    async def test_a_cue_goes_before_them(self) -> None:
        bound = ScriptedChatModel().bind_tools([add], tool_choice="any")
        assert (await bound.ainvoke("[tool other]")).tool_calls[0]["name"] == "other"
        with pytest.raises(ScriptedFailure):
            await bound.ainvoke("[fail]")


class Part(BaseModel):
    """A part."""

    name: str = Field(min_length=12, max_length=14)
    sure: bool


class Everything(BaseModel):
    """Data of every kind."""

    text: str
    kind: str = Field(json_schema_extra={"enum": ["first", "second"]})
    constant: str = Field(json_schema_extra={"const": "fixed"})
    count: int = Field(ge=100)
    above: float = Field(gt=50)
    few: int = Field(le=2)
    maybe: int | None
    nothing: None
    parts: list[Part] = Field(min_length=2)
    numbers: list[int]
    inner: Part
    mapping: dict[str, int]


class TestStructuredOutput:
    @pytest.mark.parametrize("method", ["function_calling", "json_schema"])
    async def test_fits_its_schema(self, method: str) -> None:
        model = ScriptedChatModel().with_structured_output(Everything, method=method)
        made = await model.ainvoke("a summary of six words here")
        assert isinstance(made, Everything)
        assert made.text == "a summary of six words"
        assert (made.kind, made.constant) == ("first", "fixed")
        assert (made.count, made.above, made.few, made.maybe) == (100, 51, 2, 6)
        assert len(made.parts) == 2
        assert len(made.numbers) == 1
        assert len(made.inner.name) == 14
        assert made.inner.sure

    async def test_of_an_empty_message(self) -> None:
        made = await ScriptedChatModel().with_structured_output(Part).ainvoke("")
        assert made == Part(name="nothingxxxxx", sure=True)

    async def test_with_what_the_model_said(self) -> None:
        made = await ScriptedChatModel().with_structured_output(Part, include_raw=True).ainvoke("x")
        assert isinstance(made, dict)
        assert isinstance(made["parsed"], Part)
        assert made["raw"].tool_calls


@pytest.mark.parametrize(
    "cue",
    [
        "[tokens]",
        "[tokens many]",
        "[delay soon]",
        "[tool add {]",
        '[tool add {"a": 1}',
        '[tool add {"a": 1} and more]',
        "[tool add a b]",
        "[tool add",
    ],
)
def test_a_cue_that_cannot_be_read_is_shown(cue: str) -> None:
    with pytest.raises(BadCue) as bad:
        ScriptedChatModel().invoke(cue)
    assert cue[:6] in str(bad.value)
