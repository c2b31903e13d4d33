"""What a call waits for, as MCP's elicitation has it: forms for the client's user, and what answers decide.

The state that a client gives back names the run and the place where it waits. It holds no right and no
secret, so it is not sealed: the run is looked up among the caller's own, and an approval has one winner.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from mcp_types import ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult
from pydantic import ValidationError

from gatehouse.approvals.models import Approval, Decision
from gatehouse.plain_json import from_json, json_text
from gatehouse.problems.errors import InvalidInput
from gatehouse.problems.faults import invalid_input
from gatehouse.runs.events import Cursor, parse_cursor

STATE = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.([0-9]{1,9}-[0-9]{1,15})")
TEXT = {"type": "string"}
SIMPLE = {"string", "number", "integer", "boolean"}  # what a field of a form may be
FIELDS = {
    "message": {**TEXT, "description": "why it is rejected, or what is answered in its place"},
    "result": {**TEXT, "description": "what came of it, where it happened"},
}
TAKES = {"reject": ("message",), "respond": ("message",), "happened": ("result",)}


class Waits(NamedTuple):
    """Where a run waits: after the record at `cursor`."""

    run_id: str
    cursor: Cursor

    def __str__(self) -> str:
        return f"{self.run_id}.{self.cursor}"


def waits_in(state: str) -> Waits | None:
    """Return what a client's state names, None where it is none of ours."""
    found = STATE.fullmatch(state)
    return Waits(found[1], parse_cursor(found[2])) if found else None


def input_required(waits: Waits, approvals: Sequence[Approval], fault: str = "") -> InputRequiredResult:
    """Return what the client is to ask its user; `fault` is what was wrong with an answer before."""
    return InputRequiredResult(
        input_requests={
            approval.id: ElicitRequest(
                params=ElicitRequestFormParams(
                    message="\n".join(filter(None, (fault, message_of(approval)))),
                    requested_schema=form_of(approval),
                )
            )
            for approval in approvals
        },
        request_state=str(waits),
    )


def message_of(approval: Approval) -> str:
    """Return what is asked, in words."""
    if approval.kind == "input":
        value = elicited(approval) or approval.value
        said = value.get("message") if isinstance(value, Mapping) else value
        return said if isinstance(said, str) else json_text(approval.value)
    verb = "may have been called" if approval.kind == "effect" else "is to be called"
    return f"{approval.tool} {verb} with {json_text(approval.args)}. {approval.description or ''}".strip()


def form_of(approval: Approval) -> dict[str, Any]:
    """Return the form of an answer: flat, as MCP has it. An edit of arguments is none, and done elsewhere."""
    if approval.kind == "input":
        if of_a_server := elicited(approval):
            return dict(of_a_server["requested_schema"])
        schema = approval.schema_
        if schema is None or is_flat(schema):
            return schema or form(response=TEXT)
        return form(response={**TEXT, "description": f"JSON of this schema: {json_text(schema)}"})
    choices = [choice for choice in approval.allowed if choice != "edit"]
    fields = {name: FIELDS[name] for choice in choices for name in TAKES.get(choice, ())}
    return form(decision={**TEXT, "enum": choices}, **fields)


def form(**fields: Any) -> dict[str, Any]:
    """Return the schema of a form whose first field must be filled in."""
    return {"type": "object", "properties": fields, "required": [next(iter(fields))]}


def is_flat(schema: Mapping[str, Any] | None) -> bool:
    """Tell whether a schema is that of a form."""
    fields = (schema or {}).get("properties")
    return isinstance(fields, Mapping) and all(field.get("type") in SIMPLE for field in fields.values())


def elicited(approval: Approval) -> Mapping[str, Any] | None:
    """Return what another MCP server asks, where it is that."""
    value = approval.value
    return value if isinstance(value, Mapping) and value.get("type") == "mcp_elicitation" else None


def can_be_asked(approval: Approval) -> bool:
    """Tell whether a form can decide it, and the caller may: arguments are edited elsewhere."""
    return approval.may_decide and any(choice != "edit" for choice in approval.allowed)


def decision_of(approval: Approval, answer: ElicitResult) -> Decision | None:
    """Return the decision that an answer is, None for one that leaves it open. Raises InvalidInput."""
    content = answer.content or {}
    if approval.kind == "input":
        return response_to(approval, answer.action, content)
    if answer.action == "decline" and "reject" in approval.allowed:
        return Decision(decision="reject", digest=approval.digest)
    if answer.action != "accept":
        return None
    choice = content.get("decision")
    given = {name: content[name] for name in TAKES.get(str(choice), ()) if content.get(name)}
    try:
        return Decision.model_validate({"decision": choice, "digest": approval.digest, **given})
    except ValidationError as error:
        raise invalid_input(error) from None


def response_to(approval: Approval, action: str, content: Mapping[str, Any]) -> Decision | None:
    """Return the answer to what a graph, or another MCP server, asks for."""
    if elicited(approval) and action != "cancel":
        said = {"content": dict(content)} if action == "accept" else {}
        return Decision(decision="respond", digest=approval.digest, response={"action": action, **said})
    if action != "accept":
        return None
    response: Any = dict(content) if is_flat(approval.schema_) else content.get("response")
    if isinstance(response, str) and approval.schema_:
        with suppress(ValueError):
            response = from_json(response)
    return Decision(decision="respond", digest=approval.digest, response=response)


def fault_of(error: InvalidInput) -> str:
    """Return in words what is wrong with an answer."""
    return "; ".join(str(fault["msg"]) for fault in error.extra.get("errors", ())) or error.detail
