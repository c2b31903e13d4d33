"""What a runnable has answered: the same on every route, whatever it returns."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from gatehouse.plain_json import json_text, plain, whole_text
from gatehouse.runs.sources.steps import Step, ToolCalled, ToolReturned, steps_in

# Where chains that return an object put what is to be read: the first of them that is text
READ_FIELDS = ("answer", "output", "response", "result", "final_answer", "generation", "output_text")
MESSAGES = "messages"
BETWEEN = "\n\n"  # what the parts of an answer are kept apart by, where it is one text


@dataclass(frozen=True, slots=True)
class Answer:
    """What `ainvoke` returned. `text` is what the tokens add up to.

    `message` is a message of LangChain with its standard content blocks, `value` any other JSON; an agent
    that returns more than messages has both. `is_value` tells a value that is null from none.
    `checkpoint_id` is the checkpoint of the state that a graph left in its thread.
    """

    text: str = ""
    message: dict[str, Any] | None = None
    value: Any = None
    is_value: bool = False
    finish_reason: str = ""
    checkpoint_id: str = ""

    def told(self) -> dict[str, Any]:
        """Return what there is of `message` and `value`."""
        message = {} if self.message is None else {"message": self.message}
        return {**message, "value": self.value} if self.is_value else message


def answer_of(output: Any) -> Answer:
    """Return the answer that a runnable's output is."""
    if isinstance(output, str):
        # the way of most answers; `message_json` would look for what JSON has no word for
        text = [{"type": "text", "text": whole_text(output)}] if output else []
        return Answer(output, {"type": "ai", "id": None, "content": text})
    if isinstance(output, BaseMessage):
        return of_messages([output])
    messages = messages_in(output)
    if messages is None:
        return Answer(read_text(output), value=plain(output), is_value=True)
    rest = {name: plain(value) for name, value in output.items() if name != MESSAGES}
    told = of_messages(closing(messages))
    return Answer(told.text, told.message, rest or None, bool(rest), told.finish_reason)


def messages_in(output: Any) -> Sequence[BaseMessage] | None:
    """Return the messages of a graph's state; None when the output is no such state."""
    found = output.get(MESSAGES) if isinstance(output, Mapping) else None
    held = isinstance(found, list | tuple) and found and all(isinstance(item, BaseMessage) for item in found)
    return found if held else None


def closing(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Return the last message and what its author said before, between the tools that it called.

    A message that called no tool, of an earlier step or another node, is not part of the answer.
    """
    if not messages or isinstance(messages[-1], HumanMessage):
        return []
    *before, last = messages
    said = [last]
    for message in reversed(before):
        if isinstance(message, AIMessage) and message.tool_calls:
            said.append(message)
        elif not isinstance(message, ToolMessage):
            break
    return said[::-1]


def tool_steps_in(messages: Sequence[BaseMessage]) -> list[Step]:
    """Return the tool calls of the answer and their results, out of a state's messages."""
    ids = {id(message) for message in closing(messages)}
    first = next((number for number, message in enumerate(messages) if id(message) in ids), len(messages))
    steps = [step for message in messages[first:] for step in steps_in(message)]
    return [step for step in steps if isinstance(step, ToolCalled | ToolReturned)]


def of_messages(messages: Sequence[BaseMessage]) -> Answer:
    """Return messages, one after the other, as one answer."""
    if not messages:
        return Answer(message=message_json([]))
    *before, last = messages
    texts = [text for message in before if (text := text_of(message)).strip()]
    blocks = [block for message in messages for block in blocks_of(message)]
    if text_of(last).strip() or not texts:
        texts.append(text_of(last))
    reason = str(last.response_metadata.get("finish_reason") or "")
    return Answer(BETWEEN.join(texts), message_json(blocks, last.id), finish_reason=reason)


def message_json(blocks: Iterable[Mapping[str, Any]], identifier: str | None = None) -> dict[str, Any]:
    """Return an assistant's message as JSON, with content blocks in LangChain's standard form."""
    return {"type": "ai", "id": identifier, "content": [plain(dict(block)) for block in blocks]}


def blocks_of(message: BaseMessage) -> list[dict[str, Any]]:
    """Return a message's content in LangChain's standard form."""
    if isinstance(message, ToolMessage):
        text = text_of(message)
        return [{"type": "text", "text": text}] if text else []
    return [dict(block) for block in message.content_blocks]


def text_of(message: BaseMessage) -> str:
    """Return what a message says in words: no thoughts, no tool calls."""
    content = message.content
    return content if isinstance(content, str) else str(message.text)


def read_text(output: Any) -> str:
    """Return what a person reads of an object: its text where it has one, else its JSON."""
    if output is None:
        return ""
    if (said := said_in(output)) is not None:
        return said
    return json_text(output)


def said_in(output: Any) -> str | None:
    """Return the text of an object or of messages that is to be read; None when there is none."""
    if isinstance(output, list) and output and all(isinstance(item, BaseMessage) for item in output):
        return of_messages(closing(output)).text
    if not isinstance(output, Mapping):
        return None
    for name in READ_FIELDS:
        found = output.get(name)
        if isinstance(found, BaseMessage):
            return text_of(found)
        if isinstance(found, str):
            return found
    return None
