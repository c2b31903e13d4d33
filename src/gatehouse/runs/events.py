"""The events of a run: what a viewer is told, in order. The wire contract is docs/streaming.md."""

import re
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple

from gatehouse.plain_json import json_bytes, named
from gatehouse.problems.errors import BadRequest


class Cursor(NamedTuple):
    """A place in a run's log. Sequences are dense from 1 in each attempt; cursors order as they happened."""

    attempt: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.attempt}-{self.sequence}"

    def follows(self, earlier: "Cursor") -> bool:
        """Tell whether nothing can lie between `earlier` and this one."""
        if self.attempt == earlier.attempt:
            return self.sequence == earlier.sequence + 1
        return self.attempt > earlier.attempt and self.sequence == 1


BEGINNING = Cursor(0, 0)


def parse_cursor(text: str | None) -> Cursor:
    """Return the cursor that a client sent as its last event id; none or -1 is the beginning.

    Raises BadRequest for anything that is not `<attempt>-<sequence>`.
    """
    if text is None or text in ("", "-1"):
        return BEGINNING
    match = re.fullmatch(r"([0-9]{1,9})-([0-9]{1,15})", text)
    if match is None:
        raise BadRequest("A last event id looks like 1-42; send -1 to read from the start.")
    return Cursor(int(match[1]), int(match[2]))


class Record(NamedTuple):
    """An event as the log keeps it: `data` is the JSON object that goes over the wire."""

    cursor: Cursor
    type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the model counted them."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0


@dataclass(frozen=True, slots=True)
class UsageDetails:
    """What is known of a usage beside its counts, in tokens, each a part of them."""

    reasoning: int = 0
    cached: int = 0
    estimated: int = 0  # that nobody counted

    def __add__(self, other: "UsageDetails") -> "UsageDetails":
        return UsageDetails(
            self.reasoning + other.reasoning, self.cached + other.cached, self.estimated + other.estimated
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    type: Literal["start"] = "start"
    content: str = ""
    run_id: str
    thread_id: str | None
    runnable: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Token:
    content: str
    type: Literal["token"] = "token"


@dataclass(frozen=True, slots=True)
class Reasoning:
    """What a model thinks before it answers: no part of the answer."""

    content: str
    type: Literal["reasoning"] = "reasoning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A finished message of an assistant that is not the answer's end: `message` has its content blocks."""

    type: Literal["message"] = "message"
    content: str
    message: dict[str, Any]
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Custom:
    """What a node gave to LangGraph's stream writer."""

    type: Literal["custom"] = "custom"
    content: str = ""
    data: Any
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StateUpdate:
    """What a node wrote to its graph's state; only of entries that show it."""

    type: Literal["state"] = "state"
    content: str = ""
    node: str
    data: Any
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentAction:
    type: Literal["agent_action"] = "agent_action"
    content: str
    tool: str
    call_id: str
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStart:
    type: Literal["tool_start"] = "tool_start"
    content: str
    tool: str
    call_id: str
    input: dict[str, Any]
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolEnd:
    type: Literal["tool_end"] = "tool_end"
    content: str
    tool: str
    call_id: str
    output: str
    is_error: bool
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectUnknown:
    """Nobody knows whether a tool that acts has acted; `content` is what the model is told of it."""

    type: Literal["unknown"] = "unknown"
    content: str
    tool: str
    call_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """The text so far is void: an earlier attempt's, or of this one what turned out not to be the answer."""

    type: Literal["restart"] = "restart"
    content: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """The viewer's cursor was older than the log; `text` is all text so far."""

    type: Literal["gap"] = "gap"
    content: str = "Events before this one are no longer kept."
    requested: str
    oldest: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Complete:
    """The whole answer: `content` is its text, `message` its content blocks, `value` what is no message.

    `finish_reason` is how it ended: `stop`, `length`, `refusal`, or its provider's own word.
    """

    type: Literal["complete"] = "complete"
    content: str
    message: dict[str, Any] | None = None
    value: Any = None
    finish_reason: str = "stop"
    usage: Usage
    usage_estimated: bool = False
    duration_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Error:
    """`problem` is the problem+json body."""

    type: Literal["error"] = "error"
    content: str
    problem: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalAsked:
    """What the run waits for: `approval` is a gatehouse.approvals.models.Approval, as it opens."""

    type: Literal["approval"] = "approval"
    content: str
    approval: dict[str, Any]
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What a person has decided, so that the run goes on."""

    type: Literal["decided"] = "decided"
    content: str
    approval_id: str
    decision: str
    decided_by: str


# A run that is `waiting` has ended no more than its attempt
Status = Literal["completed", "failed", "cancelled", "waiting"]


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    type: Literal["end"] = "end"
    content: str = ""
    status: Status


Event = (
    Start | Token | Reasoning | Message | Custom | StateUpdate | AgentAction | ToolStart | ToolEnd
    | EffectUnknown | Restart | Gap | Complete | Error | ApprovalAsked | Decided | End
)  # fmt: skip


def record(cursor: Cursor, event: Event) -> Record:
    """Return `event` as the log keeps it. A `path` is there only for what a subgraph tells."""
    if getattr(event, "path", None) == ():
        told = {field.name: getattr(event, field.name) for field in fields(event) if field.name != "path"}
        return Record(cursor, event.type, json_bytes(told, named))
    return Record(cursor, event.type, json_bytes(event, named))
