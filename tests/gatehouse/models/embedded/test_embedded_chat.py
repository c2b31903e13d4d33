"""The embedded model behind LangChain's ordinary interfaces: the real one."""

import asyncio
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from pydantic import BaseModel, Field

from bench.tool_calling.__main__ import done_with
from bench.tool_calling.judge import judged
from bench.tool_calling.sets import sets
from chains import summarize
from gatehouse.models.embedded import vectors
from gatehouse.models.embedded.chat import EmbeddedChat
from gatehouse.models.embedded.opening import open_embedded_chat
from gatehouse.models.embedded.responding import ENGLISH_ONLY, NO_TOOL
from gatehouse.registry.entry import Parts

SHIPPED = sets()[0]
PROMPTS = [prompt for prompt in SHIPPED.prompts if prompt.prompt][::4]

pytestmark = pytest.mark.timeout(300)
in_one_loop = pytest.mark.asyncio(loop_scope="module")  # in which the model was opened


class Facts(BaseModel):
    """What a text says."""

    title: str = Field(description="a title")
    points: list[str] = Field(description="the points")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def model() -> AsyncIterator[EmbeddedChat]:
    """The model, which takes most of a second to read."""
    async with open_embedded_chat() as model:
        yield model


async def answered(model: EmbeddedChat, *said: str | BaseMessage) -> AIMessage:
    """Return the answer to a conversation that begins with the user, with the demonstration's tools."""
    return await model.bind_tools(SHIPPED.tools).ainvoke(
        [m if isinstance(m, BaseMessage) else HumanMessage(m) for m in said]
    )


@in_one_loop
class TestTools:
    async def test_most_prompts_get_the_right_tool_or_none(self, model: EmbeddedChat) -> None:
        right = 0
        for prompt in PROMPTS:
            done = await done_with(prompt, model, SHIPPED.tools)
            right += judged(prompt, done, SHIPPED.tools).choice
        assert right >= len(PROMPTS) * 0.8  # bench/tool_calling measures all of them

    async def test_a_result_is_told_in_sentences_and_the_tool_not_called_again(
        self, model: EmbeddedChat
    ) -> None:
        called = await asyncio.to_thread(
            model.bind_tools(SHIPPED.tools).invoke, [HumanMessage("What is 6*7?")]
        )
        result = ToolMessage('{"expression":"6*7","result":42}', name="calculator", tool_call_id="1")
        assert [call["args"] for call in called.tool_calls] == [{"expression": "6 * 7"}]
        answer = await answered(model, "What is 6*7?", called, result)
        assert answer.text == "The result is 42. This is for expression 6*7."

    async def test_what_is_missing_is_asked_for_and_taken_from_the_answer(self, model: EmbeddedChat) -> None:
        asked = await answered(model, "Calculate my ROI.")
        assert asked.text.endswith("?")
        answer = await answered(model, "Calculate my ROI.", asked, "I paid 800 and got 1000.")
        assert [call["args"] for call in answer.tool_calls] == [{"initial": 800, "final": 1000}]

    async def test_a_message_may_go_on_from_the_one_before(self, model: EmbeddedChat) -> None:
        told = AIMessage("The change is 2%.")
        answer = await answered(model, "How is my portfolio doing?", told, "And over the last month?")
        assert [call["args"] for call in answer.tool_calls] == [{"period": "1m"}]

    async def test_for_what_no_tool_can_do_it_says_so(self, model: EmbeddedChat) -> None:
        assert (await answered(model, "Book me a flight to Rome")).text.startswith(NO_TOOL)

    async def test_one_that_must_be_called_is(self, model: EmbeddedChat) -> None:
        forced = model.bind_tools(SHIPPED.tools, tool_choice="calculate_roi")
        [call] = (await forced.ainvoke("Hello!")).tool_calls
        assert call["args"].keys() == {"initial", "final"}


@in_one_loop
class TestTalk:
    async def test_a_greeting_is_answered_at_once(self, model: EmbeddedChat) -> None:
        assert (await model.ainvoke("Hi there!")).text == "Hello! How can I help you?"

    async def test_another_language_is_answered_in_english(self, model: EmbeddedChat) -> None:
        assert (await answered(model, "Wie geht es meinem Portfolio?")).text == ENGLISH_ONLY

    async def test_an_answer_streams_in_pieces_ends_and_tells_its_usage(self, model: EmbeddedChat) -> None:
        chunks = [chunk async for chunk in model.astream("What is a bank?")]
        whole = sum(chunks[1:], start=chunks[0])
        assert isinstance(whole, AIMessageChunk)
        assert sum(bool(chunk.content) for chunk in chunks) > 3
        assert whole.response_metadata["finish_reason"] == "stop"
        assert whole.usage_metadata is not None
        assert whole.usage_metadata["output_tokens"] > 3


@in_one_loop
class TestForms:
    async def test_a_structured_output_fits_its_model(self, model: EmbeddedChat) -> None:
        structured = model.with_structured_output(Facts, method="json_schema")
        assert isinstance(await structured.ainvoke("Bonds are loans. Shares are parts of a company."), Facts)

    async def test_a_summary_comes_to_an_end(self, model: EmbeddedChat) -> None:
        """Of this text the model adds points to the list until it has no room, in most of its answers."""
        chain = summarize.build(Parts(model, []))
        text = (
            "The bank lends money to a company for three years. The company pays four percent a year. "
            "If it fails, the bank takes its house in Bern."
        )
        assert isinstance(await chain.ainvoke({"text": text, "length": "short"}), summarize.Summary)


class TestEverydayVectors:
    @in_one_loop
    async def test_are_those_of_the_messages_that_are_kept(self, model: EmbeddedChat) -> None:
        prompts = [vectors.wants(text) for texts in vectors.KINDS for text in texts]
        kept = list(struct.iter_unpack(f"<{vectors.SIZE}e", vectors.FILE.read_bytes()))
        assert len(kept) == len(prompts)
        read = await asyncio.to_thread(model.vectors._read, prompts[::12])
        for now, before in zip(read, kept[::12], strict=True):
            assert max(abs(a - b) for a, b in zip(now, before, strict=True)) < 0.05

    def test_are_written_where_they_are_missing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(vectors, "FILE", tmp_path / "everyday.vectors")
        vectors.Vectors(lambda prompts: [[0.5] * vectors.SIZE for _ in prompts])
        assert vectors.FILE.stat().st_size == 2 * vectors.SIZE * sum(map(len, vectors.KINDS))
