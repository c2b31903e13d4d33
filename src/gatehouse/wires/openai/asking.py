"""What a request of OpenAI's wires asks of an entry: its input, its thread, and what is configured."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import Header

from gatehouse.problems.errors import InvalidInput
from gatehouse.registry.entry import ServedEntry
from gatehouse.registry.shapes.saying import CannotBeSaid
from gatehouse.registry.taking import taken
from gatehouse.wires.openai.errors import InvalidValue, UnsupportedParameter

THREAD_HEADER = "x-thread-id"
LONGEST_NAME = 200
IdempotencyKey = Annotated[str | None, Header(max_length=200)]
ThreadName = Annotated[
    str | None,
    Header(alias=THREAD_HEADER, description="a thread of the caller's, by its id or any other name"),
]
NO_HISTORY = (
    "This model keeps conversations itself: send the new message alone, and name the conversation in the "
    "header x-thread-id, as you like. Or its entry may say client_history=True."
)
# what OpenAI's clients send by default, or that changes nothing of what is said; a runnable may declare each
SETTING = (
    *("temperature", "top_p", "presence_penalty", "frequency_penalty", "seed", "max_tokens"),
    *("max_completion_tokens", "max_output_tokens", "reasoning_effort", "verbosity", "stop"),
)


def thread_named(header: str | None, metadata: Mapping[str, Any]) -> str:
    """Return the client's name of a thread, from the header or `metadata`; empty for none.

    Raises InvalidValue.
    """
    given = metadata.get("thread_id") or ""
    if header and given and header != given:
        raise InvalidValue("metadata.thread_id", f"It names another thread than the header {THREAD_HEADER}.")
    name = header or given
    if not isinstance(name, str) or len(name) > LONGEST_NAME or "\0" in name:
        raise InvalidValue(
            "metadata.thread_id", f"A thread's name is a text of at most {LONGEST_NAME} characters."
        )
    return name


def input_of(
    entry: ServedEntry, messages: Sequence[Mapping[str, Any]], *, in_thread: bool, param: str
) -> Any:
    """Return the entry's input that says these messages of LangChain's form.

    In a thread that is the last one of a user's, for a model that is served alone after the system messages,
    which no thread keeps. Raises InvalidValue, InvalidInput.
    """
    asked = [*messages]
    if in_thread:
        system = [message for message in messages if message["type"] == "system" and entry.client_tools]
        asked = [*system, *[message for message in messages if message["type"] == "human"][-1:]]
    if not asked or all(message["type"] == "system" for message in asked):
        raise InvalidValue(param, "Nothing is asked: there is no message of a user.")
    if len(asked) > 1 and not entry.takes_history:
        raise InvalidValue(param, NO_HISTORY)
    try:
        return taken(entry, entry.shape.of_messages(asked), param)
    except CannotBeSaid as error:
        raise InvalidValue(param, f"{error} {NO_HISTORY if len(asked) > 1 else ''}".strip()) from None
    except InvalidInput as error:
        if error.extra:
            raise
        raise InvalidValue(param, error.detail) from None


def configured_by(entry: ServedEntry, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of a request's settings of the model that the entry lets a client configure.

    Raises UnsupportedParameter for `stop`, without which an answer would be another.
    """
    declared = {spec.id for spec in entry.fields}
    chosen = {name: given[name] for name in SETTING if given.get(name) is not None and name in declared}
    if given.get("stop") and "stop" not in chosen:
        raise UnsupportedParameter("stop", "This model has no words at which it stops.")
    return chosen
