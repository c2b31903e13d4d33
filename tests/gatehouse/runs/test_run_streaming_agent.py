"""The agent: tokens, tool steps, failures of tools, and going on after a crash."""

import asyncio
from typing import Any

import pytest
from agent_graphs import agent_graph
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, ToolException, tool
from langgraph.checkpoint.memory import InMemorySaver
from structlog.testing import capture_logs

from gatehouse.models.scripted.chat import ScriptedChatModel
from gatehouse.registry.entry import Parts
from gatehouse.runs.sources.graphs.streaming_agent import StreamingAgent, start_of
from gatehouse.runs.sources.graphs.telling import as_chunk
from gatehouse.runs.sources.steps import Step, ToolCalled, ToolReturned, is_stepwise, steps_in

SECRET = "sk-live-51H8QmnoSecret"


class Counted:
    """Tools that count how often they were called."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.seen: list[dict[str, Any]] = []

    def tools(self) -> list[BaseTool]:
        @tool
        async def add(a: int, b: int, config: RunnableConfig) -> str:
            """Add two numbers."""
            self.calls.append("add")
            self.seen.append(config["configurable"])
            return str(a + b)

        @tool
        async def leak() -> str:
            """Fail with a secret in the message."""
            self.calls.append("leak")
            raise ValueError(f"no access with {SECRET}")

        @tool
        async def refuse() -> str:
            """Say what is missing."""
            raise ToolException("There is no portfolio.")

        return [add, leak, refuse]


@pytest.fixture
def counted() -> Counted:
    return Counted()


@pytest.fixture
def assistant(counted: Counted) -> StreamingAgent:
    return StreamingAgent(agent_graph(Parts(ScriptedChatModel(), counted.tools())))


def config_of(run_id: str = "run-1", attempt: int = 1) -> RunnableConfig:
    return {"configurable": {"run_id": run_id, "attempt": attempt, "user_id": "alice"}}


async def steps_of(assistant: StreamingAgent, query: str, config: RunnableConfig | None = None) -> list[Step]:
    return [step async for step in assistant.asteps({"input": query}, config or config_of())]


def text_of(steps: list[Step]) -> str:
    return "".join(str(step.content) for step in steps if isinstance(step, AIMessageChunk))


def tool_steps_of(steps: list[Step]) -> list[ToolCalled | ToolReturned]:
    return [step for step in steps if isinstance(step, ToolCalled | ToolReturned)]


class TestAnswer:
    async def test_is_streamed_token_by_token(self, assistant: StreamingAgent) -> None:
        chunks = [chunk async for chunk in assistant.astream({"input": "[tokens 3]"}, config_of())]
        assert [chunk.content for chunk in chunks if chunk.content] == ["t1", " t2", " t3"]

    async def test_in_one_piece_is_the_last_message(self, assistant: StreamingAgent) -> None:
        answer = await assistant.ainvoke({"input": '[tool add {"a": 1, "b": 2}]'}, config_of())
        assert isinstance(answer, AIMessageChunk)
        assert answer.text.endswith("3")
        assert answer.tool_calls == []

    async def test_batch_answers_each(self, assistant: StreamingAgent) -> None:
        answers = await assistant.abatch([{"input": "[say one]"}, {"input": "[say two]"}], config_of())
        assert [answer.content for answer in answers] == ["one", "two"]

    def test_is_never_made_by_blocking(self, assistant: StreamingAgent) -> None:
        with pytest.raises(TypeError, match="asynchronous"):
            assistant.invoke({"input": "x"})

    async def test_the_model_is_told_the_history(self, assistant: StreamingAgent) -> None:
        history = [HumanMessage("one two three"), AIMessage("four")]
        chunks = [chunk async for chunk in assistant.astream({"input": "x", "history": history}, config_of())]
        alone = [chunk async for chunk in assistant.astream({"input": "x"}, config_of())]
        assert tokens_read(chunks) == tokens_read(alone) + 4


def tokens_read(chunks: list[AIMessageChunk]) -> int:
    return sum(chunk.usage_metadata["input_tokens"] for chunk in chunks if chunk.usage_metadata)


class TestSteps:
    def test_can_be_followed(self, assistant: StreamingAgent) -> None:
        assert is_stepwise(assistant)

    async def test_tell_of_a_tool_before_the_answer(self, assistant: StreamingAgent) -> None:
        steps = await steps_of(assistant, '[tool add {"a": 1, "b": 2}]')
        called, returned = tool_steps_of(steps)
        assert isinstance(called, ToolCalled)
        assert called == ToolCalled("add", called.call_id, {"a": 1, "b": 2})
        assert returned == ToolReturned("add", called.call_id, "3", is_error=False)
        assert text_of(steps[: steps.index(returned)]) == ""
        assert text_of(steps).endswith("3")

    async def test_tell_of_several_tools_in_order(self, assistant: StreamingAgent) -> None:
        steps = await steps_of(assistant, '[tool add {"a": 1, "b": 2}][tool refuse {}]')
        assert [step.tool for step in tool_steps_of(steps)] == ["add", "add", "refuse", "refuse"]

    async def test_reach_who_streams_and_wants_them(self, assistant: StreamingAgent) -> None:
        seen: list[Step] = []
        question = {"input": '[tool add {"a": 1, "b": 2}]'}
        chunks = [chunk async for chunk in assistant.astream(question, config_of(), on_step=seen.append)]
        assert [step for step in seen if isinstance(step, AIMessageChunk)] == chunks
        assert any(isinstance(step, ToolReturned) for step in seen)

    async def test_the_tool_sees_the_caller(self, assistant: StreamingAgent, counted: Counted) -> None:
        await steps_of(assistant, '[tool add {"a": 1, "b": 2}]')
        assert counted.seen[0]["user_id"] == "alice"


class TestToolFailures:
    async def test_the_agent_goes_on_and_the_secret_stays_in_the_log(self, assistant: StreamingAgent) -> None:
        with capture_logs() as logs:
            steps = await steps_of(assistant, "[tool leak {}]")
        returned = next(step for step in steps if isinstance(step, ToolReturned))
        assert returned.is_error
        assert returned.output == "The tool leak failed. Go on without it."
        assert text_of(steps).endswith(returned.output)
        assert SECRET not in str(steps)
        assert logs[0].items() >= {"event": "tool failed", "tool": "leak"}.items()

    async def test_what_a_tool_itself_says_is_told(self, counted: Counted) -> None:
        tools = [tool.model_copy(update={"handle_tool_error": True}) for tool in counted.tools()]
        steps = await steps_of(
            StreamingAgent(agent_graph(Parts(ScriptedChatModel(), tools))), "[tool refuse {}]"
        )
        returned = tool_steps_of(steps)[-1]
        assert returned == ToolReturned("refuse", returned.call_id, "There is no portfolio.", is_error=True)

    async def test_an_agent_that_is_stopped_is_not_told_that_its_tool_failed(self) -> None:
        began = asyncio.Event()

        @tool
        async def wait() -> str:
            """Wait for ever."""
            began.set()
            await asyncio.sleep(60)
            return ""

        run = asyncio.create_task(
            steps_of(StreamingAgent(agent_graph(Parts(ScriptedChatModel(), [wait]))), "[tool wait {}]")
        )
        await began.wait()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run


class TestCheckpoints:
    @pytest.fixture
    def kept(self, counted: Counted) -> StreamingAgent:
        return StreamingAgent(agent_graph(Parts(ScriptedChatModel(), counted.tools(), InMemorySaver())))

    async def test_a_second_attempt_does_not_call_a_finished_tool_again(
        self, kept: StreamingAgent, counted: Counted
    ) -> None:
        steps = kept.asteps({"input": '[tool add {"a": 1, "b": 2}][tokens 3]'}, config_of())
        async for step in steps:
            if text_of([step]):  # the next step has begun
                break
        await steps.aclose()  # the process dies here
        again = await steps_of(kept, "", config_of(attempt=2))
        assert counted.calls == ["add"]
        assert text_of(again) == "t1 t2 t3"

    async def test_a_second_attempt_at_what_was_answered_tells_the_answer(
        self, kept: StreamingAgent, counted: Counted
    ) -> None:
        """The process was killed between the answer and the end of the run."""
        query = '[tool add {"a": 2, "b": 2}] [say It is 4.]'
        await steps_of(kept, query)
        again = await steps_of(kept, query, config_of(attempt=2))
        assert text_of(again) == "It is 4."
        assert counted.calls == ["add"]

    @pytest.mark.parametrize("turns", range(0, 100, 3))
    async def test_a_second_attempt_answers_wherever_the_first_was_stopped(
        self, kept: StreamingAgent, counted: Counted, turns: int
    ) -> None:
        query = '[tool add {"a": 2, "b": 2}] [say It is 4.]'
        first = asyncio.create_task(steps_of(kept, query))
        for _ in range(turns):  # of the event loop
            await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert text_of(await steps_of(kept, query, config_of(attempt=2))) == "It is 4."
        assert counted.calls in (["add"], ["add", "add"]), "the second only where the first was cut off"

    async def test_a_second_attempt_at_what_never_began_begins(self, kept: StreamingAgent) -> None:
        assert text_of(await steps_of(kept, "[say hello]", config_of(attempt=2))) == "hello"

    async def test_another_run_begins_anew(self, kept: StreamingAgent, counted: Counted) -> None:
        for run_id in ("run-1", "run-2"):
            await steps_of(kept, '[tool add {"a": 1, "b": 2}]', config_of(run_id))
        assert counted.calls == ["add", "add"]


class TestMessages:
    def test_begin_with_the_history(self) -> None:
        history = [HumanMessage("one"), AIMessage("two")]
        start = start_of({"input": "three", "history": history})
        assert start == {"messages": [*history, HumanMessage("three")]}
        assert start_of({"input": "one"}) == {"messages": [HumanMessage("one")]}

    def test_a_chunk_has_the_text_and_no_tool_calls(self) -> None:
        message = AIMessage("x", tool_calls=[{"name": "f", "args": {}, "id": "1"}], id="m")
        chunk = as_chunk(message, "x")
        assert (chunk.content, chunk.id, chunk.tool_call_chunks) == ("x", "m", [])

    def test_a_chunk_of_text_alone_is_itself(self) -> None:
        chunk = AIMessageChunk(content="x", id="m", response_metadata={"model_name": "a"})
        assert as_chunk(chunk, "x") is chunk

    @pytest.mark.parametrize(
        "beside",
        [
            {"name": "agent"},
            {"chunk_position": "last"},
            {"additional_kwargs": {"refusal": "no"}},
            {"tool_call_chunks": [tool_call_chunk(name="f", args="{", id="1", index=0)]},
        ],
    )
    def test_what_else_a_chunk_has_is_left_out(self, beside: dict[str, Any]) -> None:
        assert as_chunk(AIMessageChunk(content="x", id="m", **beside), "x") == AIMessageChunk(
            content="x", id="m"
        )

    def test_a_tool_message_is_a_result(self) -> None:
        message = ToolMessage("no", name="f", tool_call_id="1", status="error")
        assert steps_in(message) == [ToolReturned("f", "1", "no", is_error=True)]

    def test_a_human_message_is_no_step(self) -> None:
        assert steps_in(HumanMessage("x")) == []
