"""What the browser may ask, in a body or in a frame."""

import json
from typing import Any
from uuid import UUID, uuid4

from chat.gatehouse import Question, Resumption
from chat.problems import Problem

LONGEST_MESSAGE = 10_000  # characters
EVENT_ID = 40  # characters at most


def question_in(text: bytes | str) -> Question:
    """Return the question in a JSON object. Raises Problem."""
    return question_of(json_object(text))


def command_in(text: str | None) -> Question | Resumption:
    """Return the question or the resumption in a WebSocket's frame. Raises Problem."""
    given = json_object(text or "")
    if given.get("type") != "resume":
        return question_of(given)
    seen = given.get("last_event_id")
    if seen is not None and not (isinstance(seen, str) and len(seen) <= EVENT_ID):
        raise Problem(400, "last_event_id is the id of an event.")
    return Resumption(str(uuid_of(given, "run_id")), seen)


def question_of(given: dict[str, Any]) -> Question:
    message = given.get("message")
    if not isinstance(message, str) or not message.strip() or len(message) > LONGEST_MESSAGE:
        raise Problem(400, f"message is a text of 1 to {LONGEST_MESSAGE} characters.")
    key = uuid_of(given, "idempotency_key") if "idempotency_key" in given else uuid4()
    thread = uuid_of(given, "thread_id") if given.get("thread_id") is not None else None
    return Question(message, str(key), str(thread) if thread else None)


def uuid_of(given: dict[str, Any], name: str) -> UUID:
    try:
        return UUID(given[name])
    except (KeyError, ValueError, TypeError, AttributeError):
        raise Problem(400, f"{name} is a UUID.") from None


def json_object(text: bytes | str) -> dict[str, Any]:
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise Problem(400, "Send a JSON object.")
    return given
