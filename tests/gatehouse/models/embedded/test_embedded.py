"""The embedded model behind LangChain's ordinary interfaces: the real one, at temperature 0."""

from collections.abc import AsyncIterator

import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage, ToolMessage
from pydantic import BaseModel, Field

from bench.tool_calling.__main__ import done_with
from bench.tool_calling.judge import judged
from bench.tool_calling.sets import sets
from chains import summarize
from gatehouse.models.embedded.chat import EmbeddedChat
from gatehouse.models.embedded.opening import open_embedded_chat
from gatehouse.registry.entry import Parts

SHIPPED = sets()[0]
PROMPTS = [prompt for prompt in SHIPPED.prompts if prompt.prompt][::4]


class Facts(BaseModel):
    """What a text says."""

    title: str = Field(description="a title")
    points: list[str] = Field(description="the points")


@pytest.fixture
async def model() -> AsyncIterator[EmbeddedChat]:
    async with open_embedded_chat() as model:
        yield model


@pytest.mark.timeout(300)
async def test_most_prompts_get_the_right_tool_or_none(model: EmbeddedChat) -> None:
    right = 0
    for prompt in PROMPTS:
        done = await done_with(prompt, model, SHIPPED.tools)
        right += judged(prompt, done, SHIPPED.tools).choice
    assert right >= len(PROMPTS) * 0.8  # bench/tool_calling measures all of them


@pytest.mark.timeout(120)
async def test_an_answer_streams_in_pieces_and_tells_its_usage(model: EmbeddedChat) -> None:
    chunks = [chunk async for chunk in model.bind(max_tokens=30).astream([HumanMessage("What is a bank?")])]
    assert sum(bool(chunk.content) for chunk in chunks) > 3
    whole = sum(chunks[1:], start=chunks[0])
    assert isinstance(whole, AIMessageChunk)
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["output_tokens"] > 3


@pytest.mark.timeout(120)
async def test_a_structured_output_fits_its_model(model: EmbeddedChat) -> None:
    structured = model.with_structured_output(Facts, method="json_schema")
    assert isinstance(await structured.ainvoke("Bonds are loans. Shares are parts of a company."), Facts)


@pytest.mark.timeout(120)
async def test_a_summary_comes_to_an_end(model: EmbeddedChat) -> None:
    """Of this text the model adds points to the list until it has no room, in most of its answers."""
    chain = summarize.build(Parts(model, []))
    text = (
        "The bank lends money to a company for three years. The company pays four percent a year. "
        "If it fails, the bank takes its house in Bern."
    )
    assert isinstance(await chain.ainvoke({"text": text, "length": "short"}), summarize.Summary)


@pytest.mark.timeout(120)
async def test_a_tool_result_is_answered_in_words(model: EmbeddedChat) -> None:
    bound = model.bind_tools(SHIPPED.tools)
    question = HumanMessage("What is 6*7?")
    called = await bound.ainvoke([question])
    [call] = called.tool_calls
    assert call["name"] == "calculator"
    result = ToolMessage('{"expression":"6*7","result":42}', name="calculator", tool_call_id=call["id"])
    answer = await bound.ainvoke([question, called, result])
    assert "42" in answer.text
