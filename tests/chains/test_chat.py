"""Prompt, model, parser."""

from typing import Any

import pytest
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.runnables import Runnable, RunnableLambda

from chains import chat
from gatehouse.models.scripted.chat import ScriptedChatModel
from gatehouse.registry.entry import Parts
from gatehouse.runs.sources.text.parser import TextParser


@pytest.fixture
def chain() -> Runnable[dict[str, Any], str]:
    return chat.build(Parts(ScriptedChatModel(), []))


async def streamed(*chunks: Any) -> list[str]:
    """Return what the parser makes of a model's chunks."""

    async def said(_inputs: Any) -> Any:
        for chunk in chunks:
            yield chunk

    return [text async for text in (RunnableLambda(said) | TextParser()).astream("x")]


class TestChain:
    async def test_answers_with_text(self, chain: Runnable[dict[str, Any], str]) -> None:
        assert await chain.ainvoke({"input": "[say hello there]"}) == "hello there"

    async def test_streams_the_model_s_tokens(self, chain: Runnable[dict[str, Any], str]) -> None:
        tokens = [token async for token in chain.astream({"input": "[tokens 3]"})]
        assert [token for token in tokens if token] == ["t1", " t2", " t3"]

    async def test_tells_the_model_the_history_before_the_message(self) -> None:
        seen: list[Any] = []

        class Listening(GenericFakeChatModel):
            def _generate(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
                seen.extend(messages)
                return super()._generate(messages, *args, **kwargs)

        model = Listening(messages=iter([AIMessage("ok")]))
        history = [HumanMessage("first"), AIMessage("answer")]
        await chat.build(Parts(model, [])).ainvoke({"input": "second", "history": history})
        assert [message.type for message in seen] == ["system", "human", "ai", "human"]
        assert [message.content for message in seen[1:]] == ["first", "answer", "second"]

    async def test_braces_of_a_message_are_no_template(self, chain: Runnable[dict[str, Any], str]) -> None:
        assert await chain.ainvoke({"input": "{history} {x} [say fine]"}) == "fine"

    def test_can_be_called_without_a_loop(self, chain: Runnable[dict[str, Any], str]) -> None:
        assert chain.invoke({"input": "[say hello]"}) == "hello"


class TestTextParser:
    async def test_passes_text_on_as_it_comes(self) -> None:
        assert await streamed(AIMessageChunk(content="a"), "b", AIMessageChunk(content="")) == ["a", "b", ""]

    async def test_takes_the_text_out_of_content_blocks(self) -> None:
        blocks = AIMessageChunk(
            content=[
                {"type": "text", "text": "a", "index": 0},
                {"type": "reasoning", "reasoning": "hidden", "index": 1},
            ]
        )
        assert await streamed(blocks) == ["a"]
