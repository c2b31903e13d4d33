"""What the run API takes and returns as JSON."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from gatehouse.approvals.models import Approval
from gatehouse.problems.faults import StrictModel
from gatehouse.runs.events import Usage
from gatehouse.runs.records import RunRecord, State
from gatehouse.wires.questions import ChatRequest, Name


class ChatResponse(BaseModel):
    """The whole answer: its text, and its content blocks or what is no message."""

    response: str
    message: dict[str, Any] | None = Field(None, description="content blocks in LangChain's standard form")
    value: Any = Field(None, description="what a runnable returns that is no message, as JSON")
    finish_reason: str = Field(
        description="how the answer ended: `stop`, `length` when it was cut at the model's limit, `refusal`, "
        "or the provider's own word",
        examples=["stop"],
    )
    run_id: str
    thread_id: str | None
    usage: Usage
    usage_estimated: bool = Field(False, description="true when the model's provider did not count all of it")


class ChatWaiting(BaseModel):
    """In place of an answer: what the run waits for. It goes on by itself; its stream can be joined."""

    status: Literal["waiting"] = "waiting"
    run_id: str
    thread_id: str | None
    approvals: list[Approval]


class RunState(BaseModel):
    """A run as it is now; `text` is the answer so far."""

    run_id: str
    thread_id: str | None
    runnable: str
    state: State
    attempt: int
    text: str
    message: dict[str, Any] | None = Field(description="of a complete answer: its content blocks")
    value: Any = Field(description="of a complete answer: what is no message, as JSON")
    finish_reason: str | None = Field(description="how the answer ended; null when it has not, or failed")
    last_event_id: str
    usage: Usage
    problem: dict[str, Any] | None

    @classmethod
    def of(cls, run: RunRecord) -> "RunState":
        return cls(
            run_id=run.id,
            thread_id=run.thread_id,
            runnable=run.runnable.removeprefix("/"),
            state=run.state,
            attempt=run.attempt,
            text=run.text,
            message=run.answer.get("message"),
            value=run.answer.get("value"),
            finish_reason=run.finish_reason or None,
            last_event_id=str(run.last_event),
            usage=run.usage,
            problem=run.problem,
        )


class EventSourceParameters(StrictModel):
    """What an EventSource, which can send neither body nor headers, says in its address."""

    query: str = Field(min_length=1, max_length=10_000)
    thread_id: Name | None = None
    runnable: Name | None = None
    idempotency_key: Name | None = None
    last_event_id: Name | None = None

    def chat(self) -> ChatRequest:
        return ChatRequest(query=self.query, thread_id=self.thread_id, runnable=self.runnable)
