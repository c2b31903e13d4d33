"""What the browser may ask, in a body or in a frame."""

import json
import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings

from chat.gatehouse import Question, Resumption
from chat.problems import Problem

LONGEST_MESSAGE = 10_000  # characters
QUESTION_NAMES = ("message", "query", "question", "prompt", "q", "text", "input", "content")
LONE_SURROGATE = re.compile("[\\ud800-\\udfff]")  # JSON can hold it, UTF-8 cannot
EVENT_ID = re.compile(r"[0-9]{1,6}-[0-9]{1,9}")


def question_in(text: bytes | str) -> Question:
    """Return the question in a JSON object. Raises Problem."""
    return question_of(json_object(text))


def command_in(text: str | None) -> Question | Resumption:
    """Return the question or the resumption in a WebSocket's frame. Raises Problem."""
    given = json_object(text or "")
    if given.get("type") != "resume":
        return question_of(given)
    return resumption_of(uuid_of(given, "run_id"), given.get("last_event_id"))


def question_in_address(parameters: Mapping[str, str]) -> Question:
    """Return the question that an EventSource asks, under any name that pages give it. Raises Problem.

    Without one it is the site's own: a page that only opens the stream sees an answer too.
    """
    named = (parameters[name] for name in QUESTION_NAMES if parameters.get(name))
    return question_of({"message": next(named, settings.SITE_QUESTION)})


def seen_in(last_event_id: str) -> Resumption:
    """Return the run that an EventSource has lost; its ids are `RUN_ID/EVENT_ID`. Raises Problem."""
    run_id, _, event_id = last_event_id.partition("/")
    return resumption_of(uuid_of({"run_id": run_id}, "run_id"), event_id)


def resumption_of(run_id: UUID, last_event_id: object) -> Resumption:
    """Return the run to read on with, after an event or from its start. Raises Problem."""
    if last_event_id is None:
        return Resumption(str(run_id))
    if not (isinstance(last_event_id, str) and EVENT_ID.fullmatch(last_event_id)):
        raise Problem(400, "The last event id is one that an event had, such as 1-42.")
    return Resumption(str(run_id), last_event_id)


def question_of(given: dict[str, Any]) -> Question:
    message = given.get("message")
    if not isinstance(message, str) or not message.strip() or len(message) > LONGEST_MESSAGE:
        raise Problem(400, f"message is a text of 1 to {LONGEST_MESSAGE} characters.")
    if LONE_SURROGATE.search(message):
        raise Problem(400, "message is no Unicode.")
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
