"""A tool-calling agent that streams its answer token by token."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import structlog
from langchain.agents.middleware import AgentMiddleware, ToolCallRequest
from langchain_core.callbacks import AsyncCallbackManagerForChainRun
from langchain_core.messages import AIMessageChunk, AnyMessage, HumanMessage, ToolMessage
from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.errors import GraphBubbleUp
from langgraph.types import Command
from pydantic import BaseModel, Field

from gatehouse.problems.approvals import CannotAsk
from gatehouse.runs.sources.answers import MESSAGES, answer_of, tool_steps_in
from gatehouse.runs.sources.graphs.answering import Answering, answering
from gatehouse.runs.sources.graphs.checkpoints import Graph
from gatehouse.runs.sources.graphs.interrupts import asked_of, interrupts_in
from gatehouse.runs.sources.graphs.running import graph_output, graph_steps
from gatehouse.runs.sources.graphs.telling import as_chunk
from gatehouse.runs.sources.steps import AsksPeople, Step
from gatehouse.tools.acting import MayNotAct

log = structlog.get_logger(__name__)


class TextInput(BaseModel):
    """What most runnables take."""

    input: str = Field(min_length=1, max_length=100_000, description="what the user says")


class ChatInput(TextInput):
    """A text, and what was said before it, of a client that keeps that itself."""

    history: list[AnyMessage] = []


class StreamingAgent(Runnable[dict[str, Any], AIMessageChunk]):
    """Takes `{"input": str, "history": [messages]}`, yields the answer as AIMessageChunks.

    A bare agent graph streams node updates; a client that reads `chunk.content` wants tokens. Tool calls
    and their results come with `asteps`, and in `astream_events` as the graph's own events.
    """

    def __init__(
        self, graph: Graph, answers: Answering | None = None, taking: type[TextInput] = TextInput
    ) -> None:
        self.graph = graph
        self.answering = answers or answering(graph)
        self.taking = taking

    @property
    def InputType(self) -> Any:  # noqa: N802  # the name is Runnable's
        return self.taking

    def invoke(
        self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AIMessageChunk:
        raise TypeError("The agent is asynchronous: use ainvoke, astream or abatch.")

    async def ainvoke(
        self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AIMessageChunk:
        """Return the answer. `on_step`, if given, is called with the tool steps before it."""
        return await self._acall_with_config(self._answer, input, config, **kwargs)

    async def astream(
        self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[AIMessageChunk]:
        """Yield the answer. `on_step`, if given, is called with every step of `asteps`."""

        async def once() -> AsyncIterator[dict[str, Any]]:
            yield input

        async for chunk in self._atransform_stream_with_config(once(), self._tokens, config, **kwargs):
            yield chunk

    async def asteps(self, input: dict[str, Any], config: RunnableConfig) -> AsyncGenerator[Step]:
        """Yield the answer's chunks, the tool steps and at last the graph's state.

        With a checkpointer, a run that was begun before goes on after its last finished step.
        """
        async with aclosing(graph_steps(self.graph, start_of(input), config, self.answering)) as steps:
            async for step, _ in steps:
                if step is not None:
                    yield step

    async def _answer(
        self,
        request: dict[str, Any],
        run_manager: AsyncCallbackManagerForChainRun,
        config: RunnableConfig,
        on_step: Callable[[Step], None] | None = None,
    ) -> AIMessageChunk:
        state = await graph_output(self.graph, start_of(request), config)
        if interrupts := interrupts_in(state):
            if not self.graph.checkpointer:
                raise CannotAsk
            raise AsksPeople(tuple(asked_of(one) for one in interrupts))
        if on_step:
            for step in tool_steps_in(state[MESSAGES]):
                on_step(step)
        last = state[MESSAGES][-1]
        return as_chunk(last, answer_of(state).text)

    async def _tokens(
        self,
        requests: AsyncIterator[dict[str, Any]],
        run_manager: AsyncCallbackManagerForChainRun,
        config: RunnableConfig,
        on_step: Callable[[Step], None] | None = None,
    ) -> AsyncIterator[AIMessageChunk]:
        async for request in requests:
            async with aclosing(self.asteps(request, config)) as steps:
                async for step in steps:
                    if on_step:
                        on_step(step)
                    if isinstance(step, AIMessageChunk):
                        yield step


def start_of(request: dict[str, Any]) -> dict[str, Any]:
    """Return what the graph starts from: the thread's history and the new message."""
    return {MESSAGES: [*request.get("history", []), HumanMessage(request["input"])]}


class ContainToolFailures(AgentMiddleware[Any, Any]):
    """Turns an exception that a tool did not expect into a message the model can go on from.

    The exception's own text stays in the log: it may hold a secret, and the model would repeat it.
    """

    async def awrap_tool_call(
        self,
        request: ToolCallRequest,
        handler: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]],
    ) -> ToolMessage | Command[Any]:
        try:
            return await handler(request)
        except (MayNotAct, GraphBubbleUp):  # the run is over, or it waits for a person
            raise
        except Exception:
            name = request.tool_call["name"]
            log.exception("tool failed", tool=name)
            return ToolMessage(
                f"The tool {name} failed. Go on without it.",
                name=name,
                tool_call_id=request.tool_call["id"],
                status="error",
            )
