"""What a run makes of LangChain's streams, for each kind of runnable and each mode of a tap."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from agent_graphs import agent_graph
from langchain_core.messages import AIMessage, AIMessageChunk, ToolMessage
from langchain_core.runnables import Runnable, RunnableGenerator, RunnableLambda
from langchain_core.tools import BaseTool, tool
from pydantic import BaseModel

from chains import chat
from gatehouse.models.scripted.chat import ScriptedChatModel, ScriptedFailure
from gatehouse.registry.entry import Parts
from gatehouse.runs.events import Event, Token, Usage
from gatehouse.runs.metering import UsageMeter
from gatehouse.runs.sources.answers import Answer, closing
from gatehouse.runs.sources.gathering import combined
from gatehouse.runs.sources.graphs.streaming_agent import StreamingAgent
from gatehouse.runs.sources.pacing import at_will
from gatehouse.runs.sources.serving import serving_of
from gatehouse.runs.sources.sources import Mode, Observed, source
from gatehouse.runs.sources.steps import NOTHING, Interrupted

MODES: list[Mode] = ["stream", "invoke", "events", "log"]
OPTIONS: dict[str, dict[str, Any]] = {"events": {"version": "v2"}}
ASK = "[say The answer is 4.]"
ASK_TOOL = '[tool add {"a": 2, "b": 2}] [say It is 4.]'


@tool
async def add(a: int, b: int) -> str:
    """Add two numbers."""
    return str(a + b) * 150


@tool
async def broken() -> str:
    """Fail."""
    raise ValueError("password=hunter2")


def a_chain() -> Runnable[Any, Any]:
    return chat.build(Parts(ScriptedChatModel(), []))


def an_agent(*tools: BaseTool) -> Runnable[Any, Any]:
    return StreamingAgent(agent_graph(Parts(ScriptedChatModel(), tools or [add, broken])))


async def followed(
    mode: Mode, runnable: Runnable[Any, Any], value: dict[str, Any], meter: UsageMeter | None = None
) -> tuple[list[Event], list[Any]]:
    """Return the events and the chunks of a run."""
    told: list[Event | Answer | Interrupted] = []
    config: Any = {"callbacks": [meter] if meter else [], "configurable": {"run_id": "r", "attempt": 1}}
    chunks = source(mode, runnable, value, config, told.append, OPTIONS.get(mode, {}))
    yielded = [chunk async for chunk in chunks]
    *events, answer = told
    assert isinstance(answer, Answer)
    return finished(events, answer), yielded


def finished(events: list[Any], answer: Answer) -> list[Event]:
    """Return the events with the text of the answer after them, if none of it was told."""
    return events if text_of(events) or not answer.text else [*events, Token(answer.text)]


def text_of(events: list[Event]) -> str:
    return "".join(event.content for event in events if event.type == "token")


class TestChain:
    @pytest.mark.parametrize("mode", MODES)
    async def test_tells_its_text(self, mode: Mode) -> None:
        events, _ = await followed(mode, a_chain(), {"input": ASK})
        assert text_of(events) == "The answer is 4."
        assert {event.type for event in events} == {"token"}

    async def test_streams_a_token_each(self) -> None:
        events, chunks = await followed("stream", a_chain(), {"input": "[tokens 5]"})
        assert [event.content.strip() for event in events] == ["t1", "t2", "t3", "t4", "t5"]
        assert "".join(chunks) == text_of(events)

    async def test_yields_what_each_mode_of_langchain_yields(self) -> None:
        _, invoked = await followed("invoke", a_chain(), {"input": ASK})
        assert invoked == ["The answer is 4."]
        _, events = await followed("events", a_chain(), {"input": ASK})
        assert events[0]["event"] == "on_chain_start"
        assert "on_chat_model_stream" in {event["event"] for event in events}
        _, patches = await followed("log", a_chain(), {"input": ASK})
        state = patches[0]
        for patch in patches[1:]:
            state = state + patch
        assert state.state["final_output"] == "The answer is 4."

    @pytest.mark.parametrize("mode", MODES)
    async def test_raises_what_the_model_raises(self, mode: Mode) -> None:
        with pytest.raises(ScriptedFailure):
            await followed(mode, a_chain(), {"input": "[fail]"})

    @pytest.mark.parametrize("mode", MODES)
    async def test_has_its_tokens_counted(self, mode: Mode) -> None:
        meter = UsageMeter()
        await followed(mode, a_chain(), {"input": "[tokens 7]"}, meter)
        assert meter.usage.output_tokens == 7
        assert meter.usage.total_tokens == meter.usage.input_tokens + 7


class TestAgent:
    @pytest.mark.parametrize("mode", ["stream", "events", "log"])
    async def test_tells_its_steps_in_order(self, mode: Mode) -> None:
        events, _ = await followed(mode, an_agent(), {"input": ASK_TOOL})
        kinds = [event.type for event in events]
        assert kinds[:3] == ["agent_action", "tool_start", "tool_end"]
        assert set(kinds[3:]) == {"token"}
        assert text_of(events) == "It is 4."

    async def test_names_the_tool_its_input_and_its_output(self) -> None:
        [action, start, end, *_], _ = await followed("stream", an_agent(), {"input": ASK_TOOL})
        assert action.type == "agent_action"
        assert start.type == "tool_start"
        assert end.type == "tool_end"
        assert (action.content, action.tool) == ("Action: add", "add")
        assert (start.content, start.tool, start.input) == ("Using tool: add", "add", {"a": 2, "b": 2})
        assert end.content == "Tool result: " + "4" * 100
        assert (end.output, end.is_error) == ("4" * 150, False)
        assert action.call_id == start.call_id == end.call_id != ""

    async def test_tells_that_a_tool_failed_without_its_cause(self) -> None:
        events, _ = await followed("stream", an_agent(), {"input": "[tool broken {}] [say Sorry.]"})
        [end] = [event for event in events if event.type == "tool_end"]
        assert end.is_error
        assert "hunter2" not in end.output
        assert text_of(events) == "Sorry."

    async def test_yields_the_answers_chunks_alone(self) -> None:
        _, chunks = await followed("stream", an_agent(), {"input": ASK_TOOL})
        told = [chunk for chunk in chunks if chunk is not NOTHING]
        assert all(isinstance(chunk, AIMessageChunk) for chunk in told)
        assert "".join(str(chunk.text) for chunk in told) == "It is 4."

    async def test_answers_in_one_piece(self) -> None:
        events, [answer] = await followed("invoke", an_agent(), {"input": ASK_TOOL})
        assert answer.text == text_of(events) == "It is 4."

    @pytest.mark.parametrize("mode", MODES)
    async def test_has_every_call_of_its_model_counted(self, mode: Mode) -> None:
        meter = UsageMeter()
        asked = '[tokens 20] [tool add {"a": 2, "b": 2}] [tokens 30]'
        await followed(mode, an_agent(), {"input": asked}, meter)
        assert meter.usage.output_tokens == 20 + 30


class Certain(BaseModel):
    text: str
    certain: bool


class TestOtherOutputs:
    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize(
        ("output", "text"),
        [
            ("plain", "plain"),
            (AIMessage("a message"), "a message"),
            (AIMessage([{"type": "text", "text": "in "}, {"type": "text", "text": "blocks"}]), "in blocks"),
            (Certain(text="yes", certain=True), '{"text":"yes","certain":true}'),
            ({"answer": 4, "of": {1}}, '{"answer":4,"of":[1]}'),
            ([1, 2], "[1,2]"),
            (4.5, "4.5"),
        ],
    )
    async def test_are_told_as_text(self, mode: Mode, output: Any, text: str) -> None:
        async def answer(value: dict[str, Any]) -> Any:
            return output

        events, _ = await followed(mode, RunnableLambda(answer), {"input": "x"})
        assert text_of(events) == text

    async def test_that_come_in_parts_are_told_whole(self) -> None:
        async def parts(inputs: AsyncIterator[Any]) -> AsyncIterator[Any]:
            async for _ in inputs:
                yield {"answer": "fo"}
                yield {"answer": "ur"}

        events, chunks = await followed("stream", RunnableGenerator(parts), {})
        assert chunks == [{"answer": "fo"}, {"answer": "ur"}]
        assert len(events) == 1
        assert events[0].content == "ur"

    async def test_that_can_be_added_are_added_as_langchain_adds_them(self) -> None:
        assert combined(None, [1]) == [1]
        assert combined([1], [2]) == [1, 2]
        assert combined({"a": 1}, {"b": 2}) == {"b": 2}

    async def test_leave_empty_text_out(self) -> None:
        async def parts(inputs: AsyncIterator[Any]) -> AsyncIterator[Any]:
            async for _ in inputs:
                yield ""
                yield AIMessageChunk(content="")
                yield "a"

        events, chunks = await followed("stream", RunnableGenerator(parts), {})
        assert [event.content for event in events] == ["a"]
        assert len(chunks) == 3


class TestObserved:
    def test_cannot_be_called_at_once(self) -> None:
        with pytest.raises(TypeError, match="only streamed"):
            Observed(serving_of(a_chain()), lambda event: None, at_will).invoke({})


class TestUsage:
    async def test_is_nothing_without_counts(self) -> None:
        meter = UsageMeter()

        async def answer(value: dict[str, Any]) -> str:
            return "plain"

        await followed("stream", RunnableLambda(answer), {}, meter)
        assert meter.usage == Usage()

    async def test_adds_up(self) -> None:
        meter = UsageMeter()
        counts = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
        meter.add(AIMessage("", usage_metadata=counts))
        meter.add(AIMessage("", usage_metadata=counts))
        meter.add(AIMessage(""))
        assert meter.usage == Usage(6, 8, 14)


def test_an_answer_begins_after_what_another_has_said() -> None:
    call: Any = {"name": "add", "args": {}, "id": "c1"}
    before = [AIMessage("before", tool_calls=[call]), ToolMessage("3", tool_call_id="c1")]
    messages = [*before, AIMessage("another node"), *before, AIMessage("after")]
    assert [message.content for message in closing(messages)] == ["before", "after"]
