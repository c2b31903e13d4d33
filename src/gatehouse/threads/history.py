"""A thread's messages as the run engine uses them: what a model is told, and what is kept of its answer."""

from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, trim_messages
from langchain_core.messages.utils import count_tokens_approximately
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gatehouse.attachments.store import AttachmentStore
from gatehouse.problems.errors import NotFound
from gatehouse.runs.conversation.files import Block, block_of
from gatehouse.runs.conversation.history import HistoryAway
from gatehouse.runs.conversation.places import StatePlace
from gatehouse.runs.events import Event, ToolEnd, ToolStart
from gatehouse.runs.records import RunRecord, State
from gatehouse.threads.models import Attached, MessageStatus, ToolCall
from gatehouse.threads.rows import said as columns_said
from gatehouse.threads.store import ATTACHMENT, Answer, ThreadStore

log = structlog.get_logger(__name__)

AWAY = (OperationalError, InterfaceError, PoolTimeout)
CHARACTERS_PER_TOKEN = 4  # by count_tokens_approximately
STATUS: Mapping[State, MessageStatus] = {"completed": "complete", "cancelled": "partial", "failed": "failed"}


class ThreadHistory:
    """The `History` of the run engine. A run that is in no thread has none."""

    def __init__(
        self, store: ThreadStore, token_budget: int, attachments: AttachmentStore | None = None
    ) -> None:
        self._store = store
        self._token_budget = token_budget
        self._attachments = attachments

    async def begin(self, run: RunRecord) -> None:
        """Store the human message of a run, and its thread if it opens one.

        Raises NotFound, and Conflict when the thread is full; of one that asks late HistoryAway alone.
        """
        if run.thread_id is None:
            return
        if run.asks_late:
            await self._open_late(run)
            return
        text, blocks, value = said(run.input), blocks_said(run.input), more_than_said(run.input)
        attached = [Attached(**file) for file in run.attachments]
        if run.opens_thread:
            runnable = run.runnable.removeprefix("/")
            await self._store.open(
                run.principal, run.thread_id, runnable, run.id, text, attached, blocks, value
            )
        else:
            await self._store.begin(
                run.principal, run.thread_id, run.id, text, run.forks, attached, blocks, value
            )

    async def undo(self, run: RunRecord) -> None:
        """Take back what `begin` may have stored of a run that could not be started.

        Raises HistoryAway when the database is.
        """
        if run.thread_id is None:
            return
        try:
            await self._store.unsay(run.principal, run.thread_id, run.id, with_thread=run.opens_thread)
        except AWAY as error:
            raise HistoryAway from error

    async def before(self, run: RunRecord) -> list[BaseMessage]:
        """Return what was said in the thread and answered, oldest first, within the token budget.

        Human and AI messages take turns, as chat templates demand: a message without an answer in words is
        left out. Tokens are estimated, at four characters each.
        """
        if run.thread_id is None:
            return []
        characters = self._token_budget * CHARACTERS_PER_TOKEN
        exchanges = await self._store.exchanges(run.principal, run.thread_id, run.id, characters)
        messages: list[BaseMessage] = []
        for said, ai in exchanges:
            if ai.strip():
                messages += spoken(await self._with_files(run, said), ai)
        return trim_messages(
            messages,
            max_tokens=self._token_budget,
            token_counter=count_tokens_approximately,
            start_on="human",
        )

    async def files(self, run: RunRecord) -> list[Block]:
        """Return the files that a run is asked about, as content blocks. One that is gone is left out."""
        return [block for file in run.attachments for block in await self._file(run, file)]

    async def _with_files(self, run: RunRecord, said: Any) -> Any:
        """Return what was said with the files themselves in place of what is known of them."""
        if isinstance(said, str):
            return said
        blocks: list[Block] = []
        for block in said:
            blocks += await self._file(run, block) if block["type"] == ATTACHMENT else [block]
        return blocks

    async def _file(self, run: RunRecord, file: Mapping[str, Any]) -> list[Block]:
        if self._attachments is None:
            return []
        try:
            content, media_type = await self._attachments.resolve(file["id"], run.principal)
        except NotFound:
            log.info("a file is gone", attachment_id=file["id"])
            return []
        return [block_of(content, media_type, file["name"])]

    async def place(self, run: RunRecord) -> StatePlace:
        """Return where a run goes on in the states of its thread: after those of its own branch."""
        if run.thread_id is None:
            return StatePlace(run.id)
        return await self._store.place(run.principal, run.thread_id, run.id)

    async def keep(self, run: RunRecord, steps: Iterable[Event]) -> None:
        """Store the answer of a run that has ended, unless its thread was deleted meanwhile.

        Raises HistoryAway when the database is.
        """
        if run.thread_id is None:
            return
        calls, ended = tool_calls(steps), run.finish_reason or None
        answer = Answer(
            run.id, run.attempt, run.text, calls, STATUS[run.state], run.usage, ended,
            content=run.answer, checkpoint_id=run.checkpoint_id or None,
        )  # fmt: skip
        if run.asks_late:
            await self._open_late(run, answer)
            return
        try:
            await self._store.answer(run.principal, run.thread_id, answer)
        except AWAY as error:
            raise HistoryAway from error

    async def _open_late(self, run: RunRecord, answer: Answer | None = None) -> None:
        """Begin the thread of a run with its question, and the answer if there is one."""
        question = columns_said(
            run.id, said(run.input), blocks=blocks_said(run.input), value=more_than_said(run.input)
        )
        runnable = run.runnable.removeprefix("/")
        try:
            await self._store.open_late(run.principal, run.thread_id or "", runnable, question, answer)
        except AWAY as error:
            raise HistoryAway from error


def spoken(human: Any, ai: str) -> tuple[BaseMessage, BaseMessage]:
    """Return an exchange as messages. Tool calls are not told again: a model would expect their results."""
    return HumanMessage(human), AIMessage(ai)


def blocks_said(value: Any) -> list[dict[str, Any]] | None:
    """Return the content blocks of the last message that an input is; None when it is text alone."""
    if isinstance(value, Mapping):
        value = value.get("messages")
    last = value[-1] if isinstance(value, list) and value else None
    content = last.get("content") if isinstance(last, Mapping) else None
    if not isinstance(content, list) or all(isinstance(block, str) for block in content):
        return None
    return [block if isinstance(block, dict) else {"type": "text", "text": block} for block in content]


def more_than_said(value: Any) -> Any:
    """Return an input that is neither a text nor messages, such as an object of several fields; else None.

    A message beside other fields is its text, as `input`: what takes messages takes that too.
    """
    if isinstance(value, Mapping):
        others = {name: item for name, item in value.items() if not are_messages(item)}
        if others and are_messages(value.get("messages")):
            return {"input": said(value), **others}
        only_said = not others or (
            len(others) == 1 and all(isinstance(item, str) for item in others.values())
        )
        return None if value and only_said else value
    return None if isinstance(value, str) or are_messages(value) else value


def are_messages(value: Any) -> bool:
    return isinstance(value, list) and any(map(is_human, value))


def said(value: Any) -> str:
    """Return what a runnable's input says: its field `input`, the last of its messages, or its first text."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return next((said_in(item) for item in reversed(value) if is_human(item)), "")
    if not isinstance(value, Mapping):
        return ""
    if isinstance(value.get("messages"), list):
        return said(value["messages"])
    texts = [text for text in (value.get("input"), *value.values()) if isinstance(text, str)]
    lists = [text for item in value.values() if isinstance(item, list) and (text := said(item))]
    return next(iter([*texts, *lists]), "")


def is_human(item: Any) -> bool:
    return isinstance(item, Mapping) and item.get("type") in ("human", "HumanMessageChunk")


def said_in(message: Mapping[str, Any]) -> str:
    """Return the text of a message in LangChain's form."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    texts = [block if isinstance(block, str) else block.get("text") for block in blocks]
    return "".join(text for text in texts if isinstance(text, str))


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
