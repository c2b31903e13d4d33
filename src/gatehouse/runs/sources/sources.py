"""Where a run's events come from: LangChain's cheapest faithful stream for each kind of runnable."""

import warnings
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any, Literal, cast

import orjson
from langchain_core._api import LangChainDeprecationWarning
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.runnables import Runnable, RunnableConfig
from pydantic import BaseModel

from gatehouse.runs.events import AgentAction, Event, Token, ToolEnd, ToolStart
from gatehouse.runs.sources.steps import Step, ToolCalled, is_stepwise
from gatehouse.runs.sources.text_chain import TextChain

SHOWN_OUTPUT = 100  # characters of a tool's result in `content`; `output` has the whole

Emit = Callable[[Event], None]
Mode = Literal["stream", "invoke", "events", "log"]


def source(
    mode: Mode,
    runnable: Runnable[Any, Any],
    value: dict[str, Any],
    config: RunnableConfig,
    emit: Emit,
    options: dict[str, Any],
) -> AsyncGenerator[Any]:
    """Run `runnable`, give every event to `emit`, and yield what LangChain's stream of this mode yields."""
    if mode == "stream":
        return chunks(runnable, value, config, emit)
    if mode == "invoke":
        return output(runnable, value, config, emit)
    observed = Observed(runnable, emit)
    # both are generators, though LangChain declares them as iterators
    if mode == "events":
        return cast("AsyncGenerator[Any]", observed.astream_events(value, config, **options))
    return patches(observed, value, config, options)


def patches(
    runnable: Runnable[Any, Any], value: dict[str, Any], config: RunnableConfig, options: dict[str, Any]
) -> AsyncGenerator[Any]:
    """Run `runnable` and yield the patches of LangChain's run log: LangServe's playground reads no other.

    LangChain deprecates the log, and warns at the first patch. Filters are the process's, and tasks that
    set and reset them would leave each other's behind: so this one, for these words alone, stays.
    """
    warnings.filterwarnings("ignore", "astream_log is deprecated", LangChainDeprecationWarning)
    return cast("AsyncGenerator[Any]", runnable.astream_log(value, config, **options))


async def chunks(
    runnable: Runnable[Any, Any], value: dict[str, Any], config: RunnableConfig, emit: Emit
) -> AsyncGenerator[Any]:
    """Run `runnable`, give every event to `emit`, and yield its own chunks."""
    if is_stepwise(runnable):
        async for step in runnable.asteps(value, config):
            emit_step(step, emit)
            yield step if isinstance(step, AIMessageChunk) else None
        return
    whole: Any = None
    async for chunk in (TextChain.of(runnable, config) or runnable).astream(value, config):
        if isinstance(chunk, str):
            if chunk:
                emit(Token(chunk))
        elif isinstance(chunk, BaseMessage):
            emit_text(chunk, emit)
        else:
            whole = combined(whole, chunk)
        yield chunk
    if whole is not None:
        emit(Token(as_json(whole)))


async def output(
    runnable: Runnable[Any, Any], value: dict[str, Any], config: RunnableConfig, emit: Emit
) -> AsyncGenerator[Any]:
    """Run `runnable` in one piece: yield its output, and give its text to `emit`."""
    whole = await runnable.ainvoke(value, config)
    if isinstance(whole, BaseMessage):
        emit_text(whole, emit)
    else:
        emit(Token(whole if isinstance(whole, str) else as_json(whole)))
    yield whole


class Observed(Runnable[dict[str, Any], Any]):
    """`runnable` with its events given to `emit`, for LangChain's own `astream_events` around it."""

    def __init__(self, runnable: Runnable[Any, Any], emit: Emit) -> None:
        self.runnable = runnable
        self.emit = emit

    def invoke(self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        raise TypeError("An observed runnable is only streamed.")

    async def astream(
        self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        follows = is_stepwise(self.runnable)  # its `astream` has a parameter more
        if follows:

            def on_step(step: Step) -> None:
                emit_step(step, self.emit)

            async for chunk in self.runnable.astream(input, config, on_step=on_step):
                yield chunk
            return
        async for chunk in chunks(self.runnable, input, config or {}, self.emit):
            yield chunk


def emit_step(step: Step, emit: Emit) -> None:
    """Give a step of an agent to `emit` as events."""
    if isinstance(step, AIMessageChunk):
        emit_text(step, emit)
    elif isinstance(step, ToolCalled):
        emit(AgentAction(content=f"Action: {step.tool}", tool=step.tool, call_id=step.call_id))
        emit(
            ToolStart(
                content=f"Using tool: {step.tool}", tool=step.tool, call_id=step.call_id, input=step.input
            )
        )
    else:
        emit(
            ToolEnd(
                content=f"Tool result: {step.output[:SHOWN_OUTPUT]}",
                tool=step.tool,
                call_id=step.call_id,
                output=step.output,
                is_error=step.is_error,
            )
        )


def emit_text(message: BaseMessage, emit: Emit) -> None:
    content = message.content
    text = content if isinstance(content, str) else str(message.text)
    if text:
        emit(Token(text))


def combined(whole: Any, chunk: Any) -> Any:
    """Return what the chunks of a structured output add up to, as LangChain adds them."""
    if whole is None:
        return chunk
    try:
        return whole + chunk
    except TypeError:
        return chunk


def as_json(value: Any) -> str:
    """Return a structured output as JSON text."""
    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    return orjson.dumps(plain, default=str).decode()
