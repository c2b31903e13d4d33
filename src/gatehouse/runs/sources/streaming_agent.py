"""A tool-calling agent that streams its answer token by token."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import structlog
from langchain.agents.middleware import AgentMiddleware, ToolCallRequest
from langchain_core.callbacks import AsyncCallbackManagerForChainRun
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    ToolMessage,
)
from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command

from gatehouse.runs.sources.steps import Step, ToolCalled, ToolReturned
from gatehouse.tools.acting import MayNotAct

log = structlog.get_logger(__name__)


class StreamingAgent(Runnable[dict[str, Any], AIMessageChunk]):
    """Takes `{"input": str, "history": [messages]}`, yields the answer as AIMessageChunks.

    A bare agent graph streams node updates; a client that reads `chunk.content` wants tokens. Tool calls
    and their results come with `asteps`, and in `astream_events` as the graph's own events.
    """

    def __init__(self, graph: CompiledStateGraph[Any, Any, Any, Any]) -> None:
        self.graph = graph

    def invoke(
        self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AIMessageChunk:
        raise TypeError("The agent is asynchronous: use ainvoke, astream or abatch.")

    async def ainvoke(
        self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AIMessageChunk:
        return await self._acall_with_config(self._answer, input, config, **kwargs)

    async def astream(
        self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[AIMessageChunk]:
        """Yield the answer. `on_step`, if given, is called with every step of `asteps`."""

        async def once() -> AsyncIterator[dict[str, Any]]:
            yield input

        async for chunk in self._atransform_stream_with_config(once(), self._tokens, config, **kwargs):
            yield chunk

    async def asteps(self, input: dict[str, Any], config: RunnableConfig) -> AsyncIterator[Step]:
        """Yield the answer's chunks and the tool steps.

        With a checkpointer, a run that was begun before goes on after its last finished step.
        """
        config = self._checkpointed(config)
        resumed = await self._begun(config)
        start = None if resumed else {"messages": messages_of(input)}
        told: set[str | None] = set()
        stream = self.graph.astream(
            start, config, stream_mode=["messages", "updates"], durability=self._durability
        )
        async for mode, payload in cast("AsyncIterator[tuple[str, Any]]", stream):
            if mode == "messages":
                message = payload[0]
                if isinstance(message, AIMessage) and (message.content or message.usage_metadata):
                    told.add(message.id)
                    yield text_chunk(message)
                continue
            for update in payload.values():
                for message in (update or {}).get("messages", []):
                    for step in tool_steps(message):
                        yield step
        if resumed:  # the earlier attempt may have had its answer, and not have ended the run
            answer = (await self.graph.aget_state(config)).values["messages"][-1]
            if answer.id not in told:
                yield text_chunk(answer)

    async def _answer(
        self, request: dict[str, Any], run_manager: AsyncCallbackManagerForChainRun, config: RunnableConfig
    ) -> AIMessageChunk:
        start = {"messages": messages_of(request)}
        state = await self.graph.ainvoke(start, self._checkpointed(config), durability=self._durability)
        return text_chunk(state["messages"][-1])

    async def _tokens(
        self,
        requests: AsyncIterator[dict[str, Any]],
        run_manager: AsyncCallbackManagerForChainRun,
        config: RunnableConfig,
        on_step: Callable[[Step], None] | None = None,
    ) -> AsyncIterator[AIMessageChunk]:
        async for request in requests:
            async for step in self.asteps(request, config):
                if on_step:
                    on_step(step)
                if isinstance(step, AIMessageChunk):
                    yield step

    @property
    def _durability(self) -> Any:
        # sync: a tool call that is finished is on record before the next step begins
        return "sync" if self.graph.checkpointer else None

    def _checkpointed(self, config: RunnableConfig) -> RunnableConfig:
        """Return the config under which the graph keeps its checkpoints: those of this run alone."""
        configurable = config.get("configurable", {})
        return {**config, "configurable": {**configurable, "thread_id": configurable.get("run_id", "")}}

    async def _begun(self, config: RunnableConfig) -> bool:
        if not self.graph.checkpointer or config["configurable"].get("attempt", 1) == 1:
            return False
        return (await self.graph.aget_state(config)).created_at is not None


def messages_of(request: dict[str, Any]) -> list[AnyMessage]:
    """Return the messages that the graph starts from: the thread's history and the new message."""
    return [*request.get("history", []), HumanMessage(request["input"])]


def text_chunk(message: AIMessage) -> AIMessageChunk:
    """Return the text of a message as a chunk.

    Without its tool calls: a client adds the chunks up, and calls of different turns would merge into one.
    """
    return AIMessageChunk(
        content=message.content,
        id=message.id,
        usage_metadata=message.usage_metadata,
        response_metadata=message.response_metadata,
    )


def tool_steps(message: BaseMessage) -> list[Step]:
    """Return the tool calls or the tool result that a message of the graph reservations."""
    if isinstance(message, AIMessage):
        return [ToolCalled(call["name"], call["id"] or "", call["args"]) for call in message.tool_calls]
    if isinstance(message, ToolMessage):
        is_error = message.status == "error"
        return [ToolReturned(message.name or "", message.tool_call_id, str(message.text), is_error)]
    return []


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
        except MayNotAct:
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
