"""How something that a person says becomes an input, and messages what a runnable takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from langchain_core.messages import HumanMessage
from langchain_core.prompt_values import PromptValue
from pydantic import BaseModel

from gatehouse.registry.shapes.annotations import (
    bare,
    fields_of,
    holds_messages,
    may_be_text,
    root_of,
    whole_of,
)

SAID_FIELDS = ("input", "question", "query", "text", "message", "prompt", "human_input")
HISTORY_FIELDS = ("history", "chat_history", "messages")
TYPES = {"user": "human", "assistant": "ai", "system": "system", "developer": "system", "tool": "tool"}

Kind = Literal["text", "messages"]


@dataclass(frozen=True, slots=True)
class Saying:
    """How something that a person says becomes an input.

    `kind` says what is made of it: text, or a list of messages. `field` is the input's field that takes it;
    None when the input as a whole is that. `history` is the field that takes the messages before it, if any.
    """

    kind: Kind
    field: str | None = None
    history: str | None = None


class CannotBeSaid(ValueError):
    """An input that cannot be made of what was said; the message is for the client."""


def saying_of(taken: type[BaseModel], own: type[BaseModel], is_text: bool = False) -> Saying | None:
    """Return how something is said in an input of this schema; `own` is the runnable's own.

    `is_text` says that what takes anything takes it for a text.
    """
    annotation = root_of(taken)
    fields = fields_of(annotation)
    if fields is None:
        return Saying("text") if is_text and annotation is Any else said_as_a_whole(whole_of(taken))
    listed = [name for name, (kind, _) in fields.items() if holds_messages(kind)]
    texts = text_field(fields, listed)
    if texts is not None:
        return Saying("text", texts, history_field([name for name in listed if name != texts], own, texts))
    if "messages" in listed or len(listed) == 1:
        return Saying("messages", "messages" if "messages" in listed else listed[0])
    return None


def said_as_a_whole(annotation: Any) -> Saying | None:
    """Return how something is said in an input that is no object with known fields."""
    if holds_messages(annotation):
        return Saying("messages")
    annotation = bare(annotation)
    if annotation is str or (get_origin(annotation) in (Union, UnionType) and str in get_args(annotation)):
        return Saying("text")
    # of what takes anything, or any object, nothing is known: by custom its text is in `input`
    unknown = annotation in (Any, dict) or isinstance(annotation, TypeVar)
    unknown = unknown or get_origin(annotation) in (dict, Mapping)
    return Saying("text", "input", "history") if unknown else None


def text_field(fields: Mapping[str, tuple[Any, bool]], listed: list[str]) -> str | None:
    """Return the field that takes what a person says.

    That is `input`, or the only one that is required beside messages; where none is, as in the state of a
    graph, one of the usual names, or the first text.
    """
    texts = [name for name, (kind, _) in fields.items() if may_be_text(kind)]
    required = [name for name, (_, needed) in fields.items() if needed and name not in listed]
    if "input" in texts:
        return "input"
    if required:
        return required[0] if len(required) == 1 and required[0] in texts else None
    if "messages" in listed or any(fields[name][1] for name in listed):
        return None
    return next((name for name in SAID_FIELDS if name in texts), next(iter(texts), None))


def history_field(listed: list[str], own: type[BaseModel], said: str) -> str | None:
    """Return the field for the messages before a text: where the schema has none, the runnable's own.

    It is not the field that takes the text, in which messages may stand too (RunnableWithMessageHistory).
    """
    fields = fields_of(root_of(own)) or {}
    known = listed or [name for name, (kind, _) in fields.items() if holds_messages(kind) and name != said]
    if known:
        return next((name for name in HISTORY_FIELDS if name in known), known[0])
    return None if fields_of(root_of(own)) is not None else "history"


def in_langchains_form(message: Any) -> Any:
    """Return a message with `type` in place of OpenAI's `role`; what is none stays as it is.

    A text is a person's, and a pair is a role and a text, as LangChain takes them.
    """
    match message:
        case str():
            return {"type": "human", "content": message}
        case [str(role), str(text)]:
            return {"type": TYPES.get(role, role), "content": text}
    if isinstance(message, dict) and "type" not in message and message.get("role") in TYPES:
        rest = {name: item for name, item in message.items() if name != "role"}
        return {"type": TYPES[message["role"]], **rest}
    return message


def plain_content(message: Mapping[str, Any]) -> str:
    """Return the text of a message of text alone. Raises CannotBeSaid."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    found = [block.get("text") for block in blocks if isinstance(block, dict) and block.get("type") == "text"]
    texts = [text for text in found if isinstance(text, str)]
    if not blocks or len(texts) < len(blocks):
        raise CannotBeSaid("It takes text alone.")
    return "".join(texts)


def as_messages(value: Any) -> list[Any]:
    """Return what takes messages as a list of them: a text and a prompt's value are that too."""
    if isinstance(value, str):
        return [HumanMessage(value)]
    return value.to_messages() if isinstance(value, PromptValue) else list(value)
