"""What the chunks of a stream add up to, told while they come."""

from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.messages import AIMessageChunk, BaseMessage, BaseMessageChunk, message_chunk_to_message
from langchain_core.messages.ai import add_ai_message_chunks
from langchain_core.runnables.utils import AddableDict

from gatehouse.runs.events import Event, Reasoning, Token
from gatehouse.runs.sources.answers import READ_FIELDS, Answer, answer_of, text_of
from gatehouse.runs.sources.thoughts import thoughts_of


class Gathering:
    """Adds chunks up as LangChain does, and tells of those that are text of the answer."""

    def __init__(self, emit: Callable[[Event | Answer], None], order: Sequence[str] = ()) -> None:
        self._emit = emit
        self._order = order  # of an object's fields, which come as they are ready
        self._texts: list[str] = []
        self._messages: list[BaseMessage] = []
        self._whole: Any = None
        self._field: str | None = None  # of objects, the one whose text is told

    def add(self, chunk: Any) -> None:
        if isinstance(chunk, str) and self._whole is None and not self._messages:
            self._texts.append(chunk)
            if chunk:
                self._emit(Token(chunk))
        elif isinstance(chunk, BaseMessage) and self._whole is None and not self._texts:
            self._messages.append(chunk)
            if thoughts := thoughts_of(chunk):
                self._emit(Reasoning(thoughts))
            self._tell(text_of(chunk))
        else:
            self._whole = combined(self._so_far(), chunk)
            if isinstance(chunk, AddableDict):
                self._tell_field(chunk)

    def answer(self) -> Answer:
        """Return the answer that all of it is."""
        whole = self._so_far()
        if isinstance(whole, AddableDict):
            whole = {**{name: whole[name] for name in self._order if name in whole}, **whole}
        return answer_of(finished(whole))

    def _so_far(self) -> Any:
        if self._messages:
            self._whole, self._messages = added(self._messages), []
        elif self._texts:
            self._whole, self._texts = "".join(self._texts), []
        return self._whole

    def _tell(self, text: str) -> None:
        if text:
            self._emit(Token(text))

    def _tell_field(self, chunk: AddableDict) -> None:
        """Tell the text that an object has in the field that is to be read."""
        if self._field is None:
            self._field = next(
                (name for name in READ_FIELDS if isinstance(chunk.get(name), str | BaseMessage)), None
            )
        said = chunk.get(self._field) if self._field else None
        if isinstance(said, str):
            self._tell(said)
        elif isinstance(said, BaseMessage):
            self._tell(text_of(said))


def finished(whole: Any) -> Any:
    """Return what chunks add up to as `ainvoke` returns it: with messages in place of what is their chunk."""
    if isinstance(whole, BaseMessageChunk):
        return message_chunk_to_message(whole)
    if isinstance(whole, dict):
        return {name: finished(value) for name, value in whole.items()}
    return [finished(value) for value in whole] if isinstance(whole, list) else whole


def added(messages: list[BaseMessage]) -> BaseMessage:
    """Return what pieces of a message add up to: in one go, since each addition copies all before it."""
    first, *others = messages
    if all(isinstance(message, AIMessageChunk) for message in messages):
        return add_ai_message_chunks(first, *others)  # type: ignore[arg-type]  # they are, as was asked
    whole: Any = first
    for message in others:
        whole = combined(whole, message)
    return whole  # type: ignore[no-any-return]


def combined(whole: Any, chunk: Any) -> Any:
    """Return what the chunks of an output add up to, as LangChain adds them."""
    if whole is None:
        return chunk
    try:
        return whole + chunk
    except TypeError:
        return chunk
