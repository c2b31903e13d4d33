"""What a WebSocket takes: frames, checked and bounded before anything is done for them."""

from collections.abc import Mapping
from typing import Any, Literal, Self

import orjson
from pydantic import ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from gatehouse.approvals.models import Decision
from gatehouse.problems.errors import (
    ApiError,
    BadRequest,
    PayloadTooLarge,
    UnsupportedMediaType,
)
from gatehouse.problems.faults import StrictModel, invalid_input
from gatehouse.runs.lifecycle.turns import Multitask
from gatehouse.wires.questions import ChatRequest

MAX_FRAME_BYTES = 64 * 1024
FRAME_BURST = 20
FRAMES_PER_SECOND = 5


class TooFrequent(ApiError):
    """The frame was not looked at."""

    status = 429
    kind = "too-frequent"
    default_detail = (
        f"A socket takes {FRAMES_PER_SECOND} frames a second. This one was left out: send it again."
    )


class Command(StrictModel):
    """A frame that was understood."""

    model_config = ConfigDict(strict=True, frozen=True)


QUESTIONS = {"message": "query", "messages": "messages", "input": "input"}  # here, and in the run API


class MessageCommand(Command):
    """Start a run. `message` is what the user says; the rest is as in the run API's body."""

    type: Literal["message"] = "message"
    message: str | None = Field(None, min_length=1, max_length=100_000)
    messages: list[dict[str, Any]] | None = Field(None, min_length=1, max_length=1000)
    input: Any = None
    runnable: str | None = None
    thread_id: str | None = None
    configurable: dict[str, Any] = Field({})
    attachments: list[str] = Field([], max_length=10)
    multitask: Multitask = "reject"
    idempotency_key: str | None = Field(None, min_length=1, max_length=200)

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        asked = QUESTIONS.keys() & self.model_fields_set
        if len(asked) != 1 or (asked != {"input"} and getattr(self, *asked) is None):
            raise PydanticCustomError("one_question", "Give one of message, messages and input")
        return self

    def chat(self) -> ChatRequest:
        """Return the request of the run API that means the same, so that an Idempotency-Key spans both."""
        (asked,) = QUESTIONS.keys() & self.model_fields_set
        return ChatRequest(
            **{QUESTIONS[asked]: getattr(self, asked)},
            thread_id=self.thread_id,
            runnable=self.runnable,
            configurable=self.configurable,
            attachments=self.attachments,
            multitask=self.multitask,
        )


class Cancel(Command):
    """Stop a run."""

    type: Literal["cancel"]
    run_id: str


class Resume(Command):
    """Follow a run, from its start or after the last event id that was seen."""

    type: Literal["resume"]
    run_id: str
    last_event_id: str | None = None


class Ping(Command):
    """Ask for a pong: a browser cannot see the protocol's own."""

    type: Literal["ping"]


class Wanted(Decision):
    """A decision, and on which approval."""

    id: str = Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")

    def decision_alone(self) -> Decision:
        return Decision.model_validate(self.model_dump(exclude_unset=True, exclude={"id"}))


class Decide(Command):
    """Decide on an approval, as `POST /api/approvals/{id}/decision` does."""

    type: Literal["decide"] = "decide"
    decide: Wanted


AnyCommand = MessageCommand | Cancel | Resume | Ping | Decide

COMMANDS: Mapping[str, type[AnyCommand]] = {
    "message": MessageCommand,
    "cancel": Cancel,
    "resume": Resume,
    "ping": Ping,
    "decide": Decide,
}


def subject_of(command: AnyCommand) -> dict[str, str | None]:
    """Return what an error about this command names, so that the client knows what went wrong."""
    match command:
        case MessageCommand():
            return {"idempotency_key": command.idempotency_key}
        case Ping():
            return {}
        case Decide():
            return {"approval_id": command.decide.id}
    return {"run_id": command.run_id}


def parsed(text: str | None) -> AnyCommand:
    """Return what a frame asks for; `text` is None for a binary one.

    Raises UnsupportedMediaType, PayloadTooLarge, BadRequest (not a JSON object of a known type) or
    InvalidInput (with the faulty fields).
    """
    if text is None:
        raise UnsupportedMediaType("Send text frames: binary ones are not taken.")
    if len(text) > MAX_FRAME_BYTES or len(text.encode()) > MAX_FRAME_BYTES:
        raise PayloadTooLarge(f"A frame may have {MAX_FRAME_BYTES} bytes.")
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The frame is not valid JSON: {error.msg}.") from None
    return validated(body)


def validated(body: Any) -> AnyCommand:
    """Return the command that a JSON value is. Raises BadRequest or InvalidInput."""
    if not isinstance(body, dict):
        raise BadRequest("A frame is a JSON object.")
    kind = body.get("type", "decide" if "decide" in body else "message")
    command = COMMANDS.get(kind) if isinstance(kind, str) else None
    if command is None:
        raise BadRequest("The type of a frame is message, cancel, resume, decide or ping.")
    try:
        return command.model_validate(body)
    except ValidationError as error:
        raise invalid_input(error, detail="The frame has faulty fields.") from None
