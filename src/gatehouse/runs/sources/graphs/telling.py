"""Which of the words that are said in a graph are told."""

from collections.abc import Iterator
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk

from gatehouse.runs.sources.answers import BETWEEN, closing, messages_in, of_messages, text_of
from gatehouse.runs.sources.graphs.answering import Answering
from gatehouse.runs.sources.steps import Path, Said, Step, TakenBack


class Telling:
    """Which of the words that are said in a graph are told: those of one message of the answer at a time."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self._answers: dict[str, bool] = {}  # by the names of where a message is said
        self._current: str | None = None  # the id of the message that is being told
        self._done = True
        self._calls = False  # it calls tools, so that what follows is of the same answer
        self._waiting = ""  # blanks at its beginning
        self._any = False  # something of it was told
        self._before = False  # something of an earlier one stands

    def goes_on(self, message: Any) -> bool:
        """Tell whether a piece is told as it is: words alone, of the message that is being told."""
        return self._any and message.id == self._current and not self._waiting and is_words(message)

    def heard(self, message: Any, metadata: dict[str, Any], *, path: Path) -> Iterator[Step]:
        """Yield what is to be told of a piece of a message."""
        if not isinstance(message, AIMessage) or not self._may_answer(metadata, path):
            return
        if message.id != self._current:
            if not self._done:  # two speak at once: the second is told when it turns out to be the answer
                return
            if self._current is not None and self._any and not self._calls:
                yield TakenBack()
                self._before = False
            self._before = self._before or self._any
            self._current, self._calls, self._waiting, self._any = message.id, False, "", False
        chunk = isinstance(message, AIMessageChunk)
        self._calls = self._calls or bool(message.tool_calls or (chunk and message.tool_call_chunks))  # type: ignore[attr-defined]
        self._done = not chunk or message.chunk_position == "last"  # type: ignore[attr-defined]
        yield from self._told(message)

    def resumed(self, state: Any) -> Iterator[Step]:
        """Yield what an earlier attempt has said of the answer, out of the state that it left."""
        said = [message for message in closing(messages_in(state) or ()) if isinstance(message, AIMessage)]
        if text := of_messages(said).text:
            self._any, self._calls, self._current = True, True, ""
            yield AIMessageChunk(content=text)

    def missed(self, state: Any) -> Iterator[Step]:
        """Yield the answer of the last state if nothing of any was told: nobody said it word by word."""
        messages = messages_in(state)
        answer = of_messages(closing(messages)) if messages else None
        if answer and answer.text and not (self._any or self._before):
            yield AIMessageChunk(content=answer.text)

    def finished(self, step: Step) -> None:
        """Note that a message is in the state: then it is over, whether its last piece said so or not."""
        if isinstance(step, Said) and step.message.id == self._current:
            self._done = True

    def _may_answer(self, metadata: dict[str, Any], path: Path) -> bool:
        node = str(metadata.get("langgraph_node", ""))
        key = "\n".join((*path, node))
        if key not in self._answers:
            self._answers[key] = self._answering.includes((*path, node))
        return self._answers[key]

    def _told(self, message: AIMessage) -> Iterator[Step]:
        text = self._waiting + text_of(message)
        if text and not self._any and not text.strip():  # a message of nothing but blanks is no part
            self._waiting, text = text, ""
        elif text:
            self._waiting = ""
        if text and not self._any and self._before:
            text = BETWEEN + text
        self._any = self._any or bool(text)
        yield as_chunk(message, text)


def as_chunk(message: AIMessage, text: str) -> AIMessageChunk:
    """Return a piece of a message with this text, and what it tells of thoughts and of usage.

    Without its tool calls: a client adds the chunks up, and calls of different turns would merge into one. A
    piece that is text alone is itself, as nearly every one is: to make another costs as much as the model.
    """
    if type(message) is AIMessageChunk and text == message.content and is_text_alone(message):
        return message
    thoughts = message.additional_kwargs.get("reasoning_content")
    return AIMessageChunk(
        content=text,
        id=message.id,
        usage_metadata=message.usage_metadata,
        response_metadata=message.response_metadata,
        additional_kwargs={"reasoning_content": thoughts} if thoughts else {},
    )


def is_words(message: Any) -> bool:
    """Tell whether a piece of a message is text alone, and has some."""
    return type(message) is AIMessageChunk and type(message.content) is str and is_text_alone(message)


def is_text_alone(chunk: AIMessageChunk) -> bool:
    """Tell whether nothing but text, and what is told of a piece's metadata, is in a piece of a message."""
    return not (
        chunk.tool_call_chunks
        or chunk.tool_calls
        or chunk.invalid_tool_calls
        or chunk.additional_kwargs
        or chunk.name
        or chunk.chunk_position
    )
