"""Tools whose calls wait for a person: each asks before it does anything, by an interrupt of its graph."""

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.tools import ToolException
from langgraph.types import interrupt

from gatehouse.tools.call_digest import call_digest

ASKS = "gatehouse.approval"  # the type of such an interrupt's value


def ask(
    kind: str,
    tool: str,
    args: Mapping[str, Any],
    allowed: Sequence[str],
    *,
    tool_call_id: str | None = None,
    description: str | None = None,
    schema: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a person's decision on a call of a tool; the first time, the attempt ends and the run waits.

    `kind` is `tool` (allowed: approve, edit, reject, respond) or `effect` (happened, run_again, give_up). The
    decision has its `type`, and of an edit `args`, of a rejection or a response `message`, of what happened
    `result`. What stands before this in the tool is done again when the run goes on.

    Raises ToolException for a decision that is on another call than this.
    """
    asked = {
        "type": ASKS,
        "kind": kind,
        "tool": tool,
        "args": dict(args),
        "allowed": list(allowed),
        "tool_call_id": tool_call_id,
        "description": description,
        "schema": dict(schema) if schema else None,
    }
    answer = interrupt(asked)
    if not isinstance(answer, dict) or answer.get("digest") != call_digest(tool, args):
        raise ToolException("The decision is on another call than this one, so nothing was done.")
    return answer
