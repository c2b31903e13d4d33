"""A thread's messages as the run engine uses them: what a model is told, and what is kept of its answer."""

from collections.abc import Iterable, Mapping
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, trim_messages
from langchain_core.messages.utils import count_tokens_approximately
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gatehouse.runs.conversation.history import HistoryAway
from gatehouse.runs.events import Event, ToolEnd, ToolStart
from gatehouse.runs.records import RunRecord, State
from gatehouse.threads.models import Attached, MessageStatus, ToolCall
from gatehouse.threads.store import Answer, ThreadStore

CHARACTERS_PER_TOKEN = 4  # by count_tokens_approximately
STATUS: Mapping[State, MessageStatus] = {"completed": "complete", "cancelled": "partial", "failed": "failed"}


class ThreadHistory:
    """The `History` of the run engine. A run that is in no thread has none."""

    def __init__(self, store: ThreadStore, token_budget: int) -> None:
        self._store = store
        self._token_budget = token_budget

    async def begin(self, run: RunRecord) -> None:
        """Store the human message of a run, and its thread if it opens one.

        Raises NotFound, and Conflict when the thread is full.
        """
        if run.thread_id is None:
            return
        text, attached = said(run.input), [Attached(**file) for file in run.attachments]
        if run.opens_thread:
            runnable = run.runnable.removeprefix("/")
            await self._store.open(run.principal, run.thread_id, runnable, run.id, text, attached)
        else:
            await self._store.begin(run.principal, run.thread_id, run.id, text, run.forks, attached)

    async def before(self, run: RunRecord) -> list[BaseMessage]:
        """Return what was said in the thread and answered, oldest first, within the token budget.

        Human and AI messages take turns, as chat templates demand: a message without an answer in words is
        left out. Tokens are estimated, at four characters each.
        """
        if run.thread_id is None:
            return []
        characters = self._token_budget * CHARACTERS_PER_TOKEN
        exchanges = await self._store.exchanges(run.principal, run.thread_id, run.id, characters)
        messages = [message for exchange in exchanges for message in spoken(*exchange)]
        return trim_messages(
            messages,
            max_tokens=self._token_budget,
            token_counter=count_tokens_approximately,
            start_on="human",
        )

    async def keep(self, run: RunRecord, steps: Iterable[Event]) -> None:
        """Store the answer of a run that has ended, unless its thread was deleted meanwhile.

        Raises HistoryAway when the database is.
        """
        if run.thread_id is None:
            return
        answer = Answer(run.id, run.attempt, run.text, tool_calls(steps), STATUS[run.state], run.usage)
        try:
            await self._store.answer(run.principal, run.thread_id, answer)
        except (OperationalError, InterfaceError, PoolTimeout) as error:
            raise HistoryAway from error


def spoken(human: str, ai: str) -> tuple[BaseMessage, BaseMessage]:
    """Return an exchange as messages. Tool calls are not told again: a model would expect their results."""
    return HumanMessage(human), AIMessage(ai)


def said(value: Mapping[str, Any]) -> str:
    """Return what a runnable's input says: its field `input`, or its first text."""
    texts = [text for text in (value.get("input"), *value.values()) if isinstance(text, str)]
    return texts[0] if texts else ""


def tool_calls(steps: Iterable[Event]) -> tuple[ToolCall, ...]:
    """Return the tool calls among the events, in the order in which they began.

    An end whose start was in an earlier attempt, on another process, is a call without input.
    """
    calls: list[ToolCall] = []
    for step in steps:
        if isinstance(step, ToolStart):
            calls.append(ToolCall(tool=step.tool, call_id=step.call_id, input=step.input))
        elif isinstance(step, ToolEnd):
            _end(calls, step)
    return tuple(calls)


def _end(calls: list[ToolCall], end: ToolEnd) -> None:
    result = {"output": end.output, "is_error": end.is_error}
    for place, call in enumerate(calls):
        if call.call_id == end.call_id and call.output is None:
            calls[place] = call.model_copy(update=result)
            return
    calls.append(ToolCall(tool=end.tool, call_id=end.call_id, input={}, **result))
