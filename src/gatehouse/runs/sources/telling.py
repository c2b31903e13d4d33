"""A step of a runnable as the events that a run's viewers are told."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from langchain_core.messages import AIMessageChunk

from gatehouse.plain_json import named, plain
from gatehouse.runs.events import (
    AgentAction,
    Custom,
    Event,
    Message,
    Reasoning,
    Restart,
    StateUpdate,
    Token,
    ToolEnd,
    ToolStart,
)
from gatehouse.runs.sources.answers import Answer, answer_of, of_messages, text_of
from gatehouse.runs.sources.steps import (
    Interrupted,
    Returned,
    Said,
    StateChanged,
    Step,
    TakenBack,
    Told,
    ToolCalled,
    ToolReturned,
)
from gatehouse.runs.sources.thoughts import thoughts_of

Emit = Callable[[Event | Answer | Interrupted], None]

SHOWN_OUTPUT = 100  # characters of a tool's result in `content`; `output` has the whole
NOT_THE_ANSWER = "What was said so far is not the answer."


def tell(step: Step, emit: Emit, shows_state: bool = False) -> None:
    """Give a step to `emit` as events, or as the answer."""
    if type(step) is AIMessageChunk and type(step.content) is str and not step.additional_kwargs:
        if step.content:  # text without thoughts, as nearly every step is
            emit(Token(step.content))
    elif isinstance(step, Returned):
        emit(replace(answer_of(step.output), checkpoint_id=step.checkpoint_id))
    elif isinstance(step, Interrupted):
        emit(step)
    elif shows_state or not isinstance(step, StateChanged):
        for event in events_of(step):
            emit(event)


def events_of(step: Step) -> Iterator[Event]:
    """Yield the events that tell of a step."""
    match step:
        case AIMessageChunk():
            yield from of_chunk(step)
        case ToolCalled():
            yield from of_call(step)
        case ToolReturned():
            yield ToolEnd(
                content=f"Tool result: {step.output[:SHOWN_OUTPUT]}",
                tool=step.tool,
                call_id=step.call_id,
                output=step.output,
                is_error=step.is_error,
                path=step.path,
            )
        case Said():
            yield from of_message(step)
        case TakenBack():
            yield Restart(content=NOT_THE_ANSWER, attempt=0)  # the run knows which it is
        case Told():
            yield Custom(data=plain(step.data, named), path=step.path)
        case StateChanged():
            yield StateUpdate(node=step.node, data=plain(step.update, named), path=step.path)


def of_chunk(chunk: AIMessageChunk) -> Iterator[Event]:
    """Yield what a piece of the answer says."""
    if thoughts := thoughts_of(chunk):
        yield Reasoning(thoughts)
    if text := text_of(chunk):
        yield Token(text)


def of_call(step: ToolCalled) -> Iterator[Event]:
    """Yield that the model asked for a tool."""
    about: dict[str, Any] = {"tool": step.tool, "call_id": step.call_id, "path": step.path}
    yield AgentAction(content=f"Action: {step.tool}", **about)
    yield ToolStart(content=f"Using tool: {step.tool}", input=step.input, **about)


def of_message(step: Said) -> Iterator[Event]:
    """Yield what an assistant said before it called tools; the answer's end is in `complete`."""
    told = of_messages([step.message])
    if told.text.strip() and told.message and step.message.tool_calls:
        yield Message(content=told.text, message=told.message, path=step.path)
