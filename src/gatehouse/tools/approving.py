"""Tools whose calls wait for a person: each asks before it does anything, by an interrupt of its graph."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool, ToolException
from langgraph.types import interrupt
from pydantic import BaseModel, ValidationError

from gatehouse.tools.call_digest import call_digest

ASKS = "gatehouse.approval"  # the type of such an interrupt's value
DECISIONS = ("approve", "edit", "reject", "respond")
REJECTED = (
    "A person has rejected this call, so it was not made. Do not make it again unless you are asked to."
)
EDITED = "A person has changed the arguments of this call before it was made, to"


def asking(tool: BaseTool, allowed: Sequence[str]) -> BaseTool:
    """Return a tool each of whose calls waits for a person, who decides what is `allowed` of DECISIONS."""
    copy = tool.model_copy()
    asks = type("Asks", (Asking,), {"allowed": tuple(allowed)})
    copy.__class__ = type(type(tool).__name__, (asks, type(tool)), {})
    return copy


class Asking:
    """Goes before the class of a tool whose calls wait for a person. Of faulty ones the model is told."""

    allowed: ClassVar[tuple[str, ...]]

    async def ainvoke(self, *arguments: Any, **named: Any) -> Any:
        # that of a tool that is made of a synchronous function calls it in a thread, past `arun`
        return await BaseTool.ainvoke(cast("BaseTool", self), *arguments, **named)

    def run(self, *_: Any, **__: Any) -> Any:
        name = cast("BaseTool", self).name
        raise NotImplementedError(f"The tool {name} waits for a person: it is called asynchronously alone.")

    async def arun(self, tool_input: str | dict[str, Any], *arguments: Any, **named: Any) -> Any:
        tool: Any = self
        given = tool_input if isinstance(tool_input, dict) else {"input": tool_input}
        args = {name: value for name, value in given.items() if name in tool.args}
        call_id = named.get("tool_call_id")
        if not fits(tool, args):
            return await super().arun(tool_input, *arguments, **named)  # type: ignore[misc]  # the tool's class
        try:
            decision = ask(
                "tool", tool.name, args, self.allowed,
                tool_call_id=call_id, description=tool.description, schema=schema_of(tool),
            )  # fmt: skip
        except ToolException as error:
            return answer(tool, call_id, str(error), "error")
        match decision["type"]:
            case "reject":
                reason = decision.get("message")
                text = f"{REJECTED} The reason: {reason}" if reason else REJECTED
                return answer(tool, call_id, text, "error")
            case "respond":
                return answer(tool, call_id, decision["message"], "success")
            case "edit":
                changed = {
                    **{name: value for name, value in given.items() if name not in args},
                    **decision["args"],
                }
                result = await super().arun(changed, *arguments, **named)  # type: ignore[misc]  # as above
                return noted(result, f"{EDITED} {json.dumps(decision['args'], default=str)}.")
        return await super().arun(tool_input, *arguments, **named)  # type: ignore[misc]  # as above


def allowed_by(tool: BaseTool) -> tuple[str, ...]:
    """Return what a person may decide on the calls of a tool; nothing when nobody is asked."""
    return tool.allowed if isinstance(tool, Asking) else ()


def fits(tool: BaseTool, args: Mapping[str, Any]) -> bool:
    """Tell whether a model's arguments are such that the tool can be called with them."""
    schema = tool.tool_call_schema
    if not (isinstance(schema, type) and issubclass(schema, BaseModel)):
        return True
    try:
        schema.model_validate(dict(args))
    except ValidationError:
        return False
    return True


def schema_of(tool: BaseTool) -> dict[str, Any]:
    """Return the JSON Schema of the arguments that a model gives a tool."""
    schema = tool.tool_call_schema
    if isinstance(schema, dict):
        return schema
    return schema.model_json_schema() if issubclass(schema, BaseModel) else {"type": "object"}


def answer(tool: BaseTool, call_id: str | None, text: str, status: Any) -> Any:
    """Return in place of a tool's result what a person says."""
    return ToolMessage(text, name=tool.name, tool_call_id=call_id, status=status) if call_id else text


def noted(result: Any, note: str) -> Any:
    """Return a tool's result with a note before it, for the model, which does not know of it."""
    if isinstance(result, ToolMessage) and isinstance(result.content, str):
        return result.model_copy(update={"content": f"{note}\n{result.content}"})
    return f"{note}\n{result}" if isinstance(result, str) else result


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
