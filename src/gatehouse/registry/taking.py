"""What a client may send to an entry: its input and its configuration, whatever wire they came over."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from pydantic import BaseModel, TypeAdapter, ValidationError

from gatehouse.problems.errors import InvalidInput
from gatehouse.problems.faults import invalid_input
from gatehouse.registry.entry import ServedEntry
from gatehouse.registry.media import check_files

ONLY_HUMAN = "Only human messages are taken: the server owns the rest of the conversation."
NO_SYSTEM = "A client's messages are of a human, an assistant or a tool."
KINDS: dict[str, type[BaseMessage]] = {"human": HumanMessage, "ai": AIMessage, "tool": ToolMessage}
# What LangChain and LangGraph put into a config of their own, where the runnable is part of another
NOT_MEANT = ("__", "checkpoint_")
ANOTHERS_HISTORY = {
    "session_id",
    "message_history",
}  # of a RunnableWithMessageHistory around a RemoteRunnable


def taken(entry: ServedEntry, value: Any, *location: str) -> Any:
    """Return an input as the entry takes it, as JSON. Raises InvalidInput, with its faults at `location`."""
    value = entry.shape.widened(value)
    try:
        typed = entry.shape.typed(value)
    except ValidationError as error:
        raise invalid_input(error, *location) from None
    except Exception:  # langchain-core raises other types for some malformed messages
        raise InvalidInput from None
    check_messages(entry, typed)
    return value


def check_messages(entry: ServedEntry, typed: Any) -> None:
    """Raise InvalidInput for a message that a client may not send to this entry."""
    for part in parts_of(typed):
        if not isinstance(part, BaseMessage):
            continue
        check_files(part)
        if issubclass(kind_of(part), HumanMessage):
            continue
        if not entry.takes_history:
            raise InvalidInput(ONLY_HUMAN)
        if not issubclass(kind_of(part), AIMessage | ToolMessage) and not entry.client_tools:
            raise InvalidInput(NO_SYSTEM)


def kind_of(message: BaseMessage) -> type[BaseMessage]:
    """Return whose message it is. A field of the type BaseMessage has messages of no other class."""
    return KINDS.get(message.type, BaseMessage) if type(message) is BaseMessage else message.__class__


def configured(entry: ServedEntry, given: Mapping[str, Any], ignore_unknown: bool) -> dict[str, Any]:
    """Return what a client configures. Raises InvalidInput for what it may not, by name, or a bad value.

    `ignore_unknown` leaves out what the runnable has no field for; one that it has and that a client may not
    set is refused all the same, since the answer would be another than the one that was asked for.
    """
    allowed = {spec.id: spec for spec in entry.fields}
    meant = {name for name in given if not name.startswith(NOT_MEANT)}
    if entry.takes_history:
        meant -= ANOTHERS_HISTORY - allowed.keys()
    refused = meant & entry.withheld if ignore_unknown else meant - allowed.keys()
    if unknown := sorted(refused):
        raise InvalidInput(f"A client may not configure {', '.join(unknown)[:200]} here.")
    meant &= allowed.keys()
    for name in meant:
        try:
            TypeAdapter(allowed[name].annotation).validate_python(given[name])
        except ValidationError as error:
            raise invalid_input(error, "config", "configurable", name) from None
    return {name: given[name] for name in meant}


def parts_of(value: Any) -> Iterator[Any]:
    """Yield every value inside a typed input."""
    pending: list[Any] = [value]
    while pending:
        current = pending.pop()
        yield current
        if isinstance(current, BaseModel) and not isinstance(current, BaseMessage):
            pending += [getattr(current, name) for name in type(current).model_fields]
        elif is_dataclass(current) and not isinstance(current, type):
            pending += [getattr(current, field.name) for field in fields(current)]
        elif isinstance(current, dict):
            pending += current.values()
        elif isinstance(current, list | tuple | set):
            pending += current
