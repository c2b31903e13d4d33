"""What is known of threads and messages, as it is stored, handed around and shown."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gatehouse.runs.events import Usage

THREAD_ID = "0198c0de-0000-7000-8000-000000000001"
MOMENT = "2026-11-21T09:30:00Z"

MessageStatus = Literal["complete", "partial", "failed"]


class Shown(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)


class Thread(Shown):
    """A conversation of one user."""

    id: str = Field(description="UUIDv7", examples=[THREAD_ID])
    runnable: str = Field(description="name of the runnable that it was begun with", examples=["chat"])
    title: str = Field(
        description="the first message's first line, until it is renamed; empty before there is one",
        examples=["What is a bond?"],
    )
    created_at: datetime = Field(examples=[MOMENT])
    updated_at: datetime = Field(description="when a message came last", examples=[MOMENT])


class ToolCall(Shown):
    """A tool that a run used for its answer."""

    tool: str = Field(examples=["list_holdings"])
    call_id: str = Field(examples=["call_1"])
    input: dict[str, Any] = Field(examples=[{"city": "Paris"}])
    output: str | None = Field(None, description="null when the run ended before the tool did")
    is_error: bool = Field(False, description="true when the tool could not do it")


class Attached(Shown):
    """A file that a question is about; its bytes are at `/api/attachments/{id}`."""

    id: str = Field(examples=["0198c0de-0000-7000-8000-000000000004"])
    name: str = Field(examples=["chart.png"])
    media_type: str = Field(examples=["image/png"])
    size: int = Field(description="bytes", examples=[52_113])


class Message(Shown):
    """One message of a thread."""

    id: str = Field(description="UUIDv7", examples=["0198c0de-0000-7000-8000-000000000002"])
    run_id: str = Field(
        description="the run that it started or answers", examples=["0198c0de-0000-7000-8000-000000000003"]
    )
    role: Literal["human", "ai"]
    content: str = Field(examples=["What is a bond?"])
    blocks: list[dict[str, Any]] | None = Field(
        None, description="the content in LangChain's standard form; null when it is no more than text"
    )
    value: Any = Field(
        None,
        description="of an answer: what the runnable returned that is no message; of a question: the whole "
        "input, where that is neither a text nor messages",
    )
    tool_calls: tuple[ToolCall, ...] = Field((), description="in the order in which they began")
    status: MessageStatus | None = Field(
        None, description="of an answer: partial when its run was cancelled; null for a human message"
    )
    finish_reason: str | None = Field(
        None,
        description="of an answer: `stop`, `length` when it was cut at the model's limit, `refusal`, or the "
        "provider's own word; null for one that failed",
        examples=["stop"],
    )
    usage: Usage | None = Field(None, description="tokens that the answer took; null for a human message")
    created_at: datetime = Field(examples=[MOMENT])
    attachments: tuple[Attached, ...] | None = Field(None, description="what a question is about")
    branches: tuple[str, ...] = Field(
        (),
        description="ids of the questions that were asked in this one's place, itself among them, the oldest "
        "first; empty when there is no other",
    )


class ThreadPage(Shown):
    """Threads, that with the newest message first."""

    items: tuple[Thread, ...]
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last one")


class MessagePage(Shown):
    """Messages of a thread, the oldest first."""

    items: tuple[Message, ...]
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last one")
