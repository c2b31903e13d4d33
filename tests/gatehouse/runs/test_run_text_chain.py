"""The short way through `prompt | model | parser`: the same chunks, and only where nobody listens."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.output_parsers import JsonOutputParser, StrOutputParser
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda, RunnablePassthrough
from langsmith import Client, tracing_context

from gatehouse.models.guarded.calls import Candidate
from gatehouse.models.guarded.circuit import Circuit
from gatehouse.models.guarded.model import GuardedChatModel
from gatehouse.models.scripted.chat import ScriptedChatModel, ScriptedFailure
from gatehouse.runs.events import Usage
from gatehouse.runs.metering import UsageMeter
from gatehouse.runs.sources.text.chain import TextChain
from gatehouse.runs.sources.text.parser import TextParser

PROMPT = ChatPromptTemplate.from_messages([("system", "Be brief."), ("human", "{input}")])
MODEL = ScriptedChatModel()
WHOLE = {"disable_streaming": True}
ASK = {"input": "[say It is four.] what is two and two?"}


class Blocks(ScriptedChatModel):
    """Answers in content blocks, as some providers do; one of the older kind has no type."""

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        for block in ({"type": "text", "text": "a"}, {"type": "image", "url": "x"}, {"text": "b"}):
            yield ChatGenerationChunk(message=AIMessageChunk(content=[block]))


def guarded(model: BaseChatModel) -> GuardedChatModel:
    return GuardedChatModel.of([Candidate("model", model, Circuit(5, 1.0))])


async def asked_about(value: dict[str, Any]) -> dict[str, Any]:
    return {"input": value["input"].replace("four", "five")}


CHAINS: dict[str, Runnable[Any, Any]] = {
    "parser without a thread": PROMPT | MODEL | TextParser(),
    "LangChain's parser": PROMPT | MODEL | StrOutputParser(),
    "messages": PROMPT | MODEL,
    "a step before": RunnableLambda(asked_about) | PROMPT | MODEL | TextParser(),
    "a parallel step before": {"input": RunnablePassthrough() | (lambda value: value["input"])}
    | PROMPT
    | MODEL
    | TextParser(),
    "a bound model": PROMPT | MODEL.bind(stop=["."]) | StrOutputParser(),
    "content blocks": PROMPT | Blocks() | StrOutputParser(),
    "a guarded model": PROMPT | guarded(MODEL) | TextParser(),
    "a guarded model that is bound": PROMPT | guarded(MODEL).bind(stop=["."]) | TextParser(),
    "a guarded model's messages": PROMPT | guarded(MODEL),
    "a guarded model's content blocks": PROMPT | guarded(Blocks()) | TextParser(),
    "a guarded model in one piece": PROMPT | guarded(MODEL.model_copy(update=WHOLE)) | TextParser(),
}
OTHERS: dict[str, Runnable[Any, Any]] = {
    "a step after the model": PROMPT | MODEL | RunnableLambda(lambda message: message),
    "another parser": PROMPT | MODEL | JsonOutputParser(),
    "no sequence": RunnableLambda(asked_about),
    "a configured sequence": (PROMPT | MODEL).with_config(tags=["mine"]),
    "no model": RunnableLambda(asked_about) | PROMPT,
}


class Listener(AsyncCallbackHandler):
    """Somebody who wants to hear of every step."""


def metered(*others: AsyncCallbackHandler) -> tuple[UsageMeter, RunnableConfig]:
    meter = UsageMeter()
    return meter, {"callbacks": [meter, *others], "run_name": "chat"}


def plain(chunk: Any) -> Any:
    """Return a chunk without the id that each call of a model has."""
    return chunk.model_copy(update={"id": None}) if isinstance(chunk, BaseMessage) else chunk


@pytest.mark.parametrize("name", CHAINS)
async def test_yields_what_the_sequence_yields(name: str) -> None:
    chain = CHAINS[name]
    meter, config = metered()
    short = TextChain.of(chain, config)
    assert short is not None
    chunks = [plain(chunk) async for chunk in short.astream(ASK, config)]
    assert chunks == [plain(chunk) async for chunk in chain.astream(ASK)]
    assert len(chunks) > 1 or "in one piece" in name
    if "content blocks" not in name:
        assert meter.usage == Usage(input_tokens=11, output_tokens=3, total_tokens=14)


@pytest.mark.parametrize("name", CHAINS)
async def test_returns_what_the_sequence_returns(name: str) -> None:
    chain = CHAINS[name]
    meter, config = metered()
    short = TextChain.of(chain, config)
    assert short is not None
    assert plain(await short.ainvoke(ASK, config)) == plain(await chain.ainvoke(ASK))
    if "content blocks" not in name:
        assert meter.usage == Usage(input_tokens=11, output_tokens=3, total_tokens=14)


@pytest.mark.parametrize("name", OTHERS)
def test_is_not_taken_through_other_runnables(name: str) -> None:
    assert TextChain.of(OTHERS[name], metered()[1]) is None


def test_is_not_taken_where_somebody_listens() -> None:
    assert TextChain.of(PROMPT | MODEL, metered(Listener())[1]) is None


def test_is_not_taken_where_langsmith_traces() -> None:
    with tracing_context(
        enabled=True, client=Client(api_url="http://127.0.0.1:1", api_key="key", auto_batch_tracing=False)
    ):
        assert TextChain.of(PROMPT | MODEL, metered()[1]) is None


class TestFailure:
    async def test_of_a_model_that_answers_in_one_piece_is_what_the_sequence_raises(self) -> None:
        _, config = metered()
        short = TextChain.of(PROMPT | MODEL | TextParser(), config)
        assert short is not None
        with pytest.raises(ScriptedFailure):
            await short.ainvoke({"input": "[fail]"}, config)

    async def test_of_the_model_comes_after_its_chunks(self) -> None:
        _, config = metered()
        short = TextChain.of(PROMPT | MODEL | TextParser(), config)
        assert short is not None
        seen: list[str] = []
        with pytest.raises(ScriptedFailure):
            async for chunk in short.astream({"input": "[tokens 5] [fail after 3]"}, config):
                seen.append(chunk)
        assert "".join(seen).split() == ["t1", "t2", "t3"]

    async def test_of_the_prompt_is_what_the_sequence_raises(self) -> None:
        _, config = metered()
        short = TextChain.of(PROMPT | MODEL, config)
        assert short is not None
        with pytest.raises(KeyError):
            await anext(short.astream({"question": "none"}, config))


async def test_leaving_ends_the_model_s_stream() -> None:
    closed: list[bool] = []

    class Endless(ScriptedChatModel):
        async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
            try:
                while True:
                    yield ChatGenerationChunk(message=AIMessageChunk(content="a"))
            finally:
                closed.append(True)

    _, config = metered()
    short = TextChain.of(PROMPT | Endless() | TextParser(), config)
    assert short is not None
    async with aclosing(short.astream(ASK, config)) as chunks:
        assert await anext(chunks) == "a"
    assert closed == [True]
