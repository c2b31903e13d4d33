"""What `useChat` sends, and what is asked with it: the last message. The thread has those before it."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gatehouse.problems.errors import InvalidInput
from gatehouse.problems.faults import invalid_input
from gatehouse.runs.lifecycle.turns import Multitask
from gatehouse.wires.questions import ChatRequest, Name

SAYS_NOTHING = "The last message has neither text nor a file: send one that says something."
NOT_A_QUESTION = "The last message must be the user's."


class Answered(BaseModel):
    """What a person said of a call that waits. Of the call itself the client's word is not taken."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str = Field(max_length=64)
    approved: bool | None = None
    reason: str | None = Field(None, max_length=10_000)


class Part(BaseModel):
    """A part of a message: of a question text and files are read, of an answer what was said of its calls."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    type: str
    text: str = ""
    url: str = ""
    mediaType: str = ""  # noqa: N815  # the protocol's
    filename: str = ""
    state: str = ""
    approval: Answered | None = None


class UIMessage(BaseModel):
    """A message as the client keeps it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str = ""
    role: Literal["system", "user", "assistant"]
    parts: list[Part] = Field(max_length=10_000)


class UIChat(BaseModel):
    """The body of `useChat`. What an application adds to it, and is not named here, is not read."""

    model_config = ConfigDict(extra="ignore")

    id: str = Field(min_length=1, max_length=200, description="the chat, as its client calls it")
    messages: list[UIMessage] = Field([], max_length=10_000, description="the last one is what is asked")
    trigger: Literal["submit-message", "regenerate-message"] = "submit-message"
    messageId: str | None = Field(  # noqa: N815  # the protocol's
        None, max_length=200, description="the message that is replaced, or whose answer is asked for again"
    )
    configurable: dict[str, Any] = Field({}, description="those fields that the runnable lets a client set")
    attachments: list[Name] = Field([], max_length=10, description="ids of the files that it is about")
    multitask: Multitask = Field(
        "interrupt",
        description="what to do when the chat has a run already; by default that one is stopped",
    )

    @property
    def last(self) -> UIMessage | None:
        return self.messages[-1] if self.messages else None

    @property
    def edits(self) -> bool:
        """Tell whether a question is asked in another's place."""
        last = self.last
        return self.trigger == "submit-message" and last is not None and self.messageId == last.id != ""

    @property
    def answers(self) -> list[Answered]:
        """What a person has said of calls that wait, where the last message is the assistant's."""
        last = self.last
        if last is None or last.role != "assistant" or self.trigger != "submit-message":
            return []
        said = [part.approval for part in last.parts if part.state == "approval-responded" and part.approval]
        return [answer for answer in said if answer.approved is not None]

    def question(self, runnable: str, thread_id: str | None) -> ChatRequest:
        """Return what the last message asks of a runnable. Raises InvalidInput."""
        if self.last is None or self.last.role != "user":
            raise InvalidInput(NOT_A_QUESTION)
        return chat_request(
            asked(self.last.parts),
            runnable=runnable,
            thread_id=thread_id,
            configurable=self.configurable,
            attachments=self.attachments,
            multitask=self.multitask,
        )


def chat_request(question: Mapping[str, Any], **rest: Any) -> ChatRequest:
    """Return a request of the run API. Raises InvalidInput."""
    try:
        return ChatRequest(**question, **rest)
    except ValidationError as error:
        raise invalid_input(error, "messages") from None


def asked(parts: Sequence[Part]) -> dict[str, Any]:
    """Return what a message says: a `query`, or with files one message of content blocks.

    Raises InvalidInput for one that says nothing.
    """
    text = "\n\n".join(part.text for part in parts if part.type == "text" and part.text)
    files = [block_of(part) for part in parts if part.type == "file"]
    if files:
        blocks = [*([{"type": "text", "text": text}] if text else []), *files]
        return {"messages": [{"type": "human", "content": blocks}]}
    if not text.strip():
        raise InvalidInput(SAYS_NOTHING)
    return {"query": text}


def block_of(part: Part) -> dict[str, Any]:
    """Return a file as a content block of LangChain's standard form. Raises InvalidInput."""
    kind = part.mediaType.partition("/")[0]
    kind = kind if kind in ("image", "audio", "video") else "file"
    named = {"filename": part.filename} if kind == "file" and part.filename else {}
    if part.url.startswith(("https://", "http://")):
        return {"type": kind, "url": part.url, "mime_type": part.mediaType, **named}
    head, separator, data = part.url.partition(",")
    if not (separator and head.startswith("data:") and head.endswith(";base64")):
        raise InvalidInput("A file has a url that is a data: URL in base64, or one of http.")
    return {"type": kind, "base64": data, "mime_type": part.mediaType, **named}
