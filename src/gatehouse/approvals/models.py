"""An approval as it is shown and handed around, and a decision on one."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gatehouse.problems.faults import StrictModel

Kind = Literal["tool", "input", "effect"]
Choice = Literal["approve", "edit", "reject", "respond", "happened", "run_again", "give_up"]
Status = Literal[
    "pending", "approved", "edited", "rejected", "responded", "expired", "cancelled", "happened", "run_again",
    "given_up",
]  # fmt: skip

STATUS_AFTER: dict[Choice, Status] = {
    "approve": "approved",
    "edit": "edited",
    "reject": "rejected",
    "respond": "responded",
    "happened": "happened",
    "run_again": "run_again",
    "give_up": "given_up",
}


class Person(BaseModel):
    """A user of the tenant."""

    user_id: str = Field(examples=["alice"])
    name: str = Field(examples=["Alice"])


class Decision(StrictModel):
    """What somebody decides, on what they have seen: the approval's `digest`."""

    decision: Choice
    digest: str = Field(max_length=64)
    args: dict[str, Any] | None = Field(None, description="of an edit: the arguments in place of the model's")
    message: str | None = Field(
        None, max_length=10_000, description="why it is rejected, or what is answered"
    )
    response: Any = Field(None, description="what is answered to a run that asks for an input")
    result: Any = Field(None, description="what came of a call that happened")

    def said(self) -> dict[str, Any]:
        """Return what was decided, without what was not said."""
        return self.model_dump(mode="json", exclude_unset=True, exclude={"digest"})


class Approval(BaseModel):
    """What a run waits for: a person's word on a tool's call, or an answer."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: str = Field(description="UUIDv7", examples=["0198c0de-0000-7000-8000-000000000005"])
    kind: Kind = Field(
        description="a tool that is to be called; an input that a graph asks for; an effect of which nobody "
        "knows whether it happened"
    )
    run_id: str
    thread_id: str | None
    runnable: str = Field(examples=["agent"])
    tool: str | None = Field(examples=["transfer_money"])
    tool_call_id: str | None
    args: dict[str, Any] | None = Field(examples=[{"to": "Bob", "amount": 100}])
    value: Any = Field(None, description="of kind input: what the graph asks, as JSON")
    description: str | None
    allowed: list[Choice]
    schema_: dict[str, Any] | None = Field(
        alias="schema", description="JSON Schema of the arguments of an edit, or of the response"
    )
    digest: str = Field(description="of the tool and its arguments: a decision repeats it")
    status: Status
    owner: Person
    decided_by: Person | None
    decided_at: datetime | None
    decision: dict[str, Any] | None
    created_at: datetime
    expires_at: datetime
    may_decide: bool = Field(description="whether the caller may")
    same_as: str | None = Field(description="an earlier approval of the same call in the same run")
