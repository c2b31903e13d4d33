"""What the interrupts of a graph ask, as approvals: LangChain's middleware, our own tools, other values."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from langchain_core.tools import BaseTool

from gatehouse.approvals.models import Choice, Kind
from gatehouse.plain_json import named, plain
from gatehouse.runs.sources.steps import Asked, ToolCalled
from gatehouse.tools.approving import ASKS, schema_of
from gatehouse.tools.call_digest import call_digest

# who is asked, and how LangGraph takes the answer; `ended`: no run waits for it
Form = Literal["batched", "per_call", "own", "input", "ended"]

ANY_OBJECT: dict[str, Any] = {"type": "object"}
CHOICES: tuple[Choice, ...] = ("approve", "edit", "reject", "respond")


@dataclass(frozen=True, slots=True)
class Draft:
    """An approval before anybody was asked. Of one interrupt they are in the order of `position`."""

    form: Form
    kind: Kind
    interrupt_id: str
    digest: str
    allowed: Sequence[Choice]
    position: int = 0
    tool: str | None = None
    tool_call_id: str | None = None
    args: dict[str, Any] | None = None
    value: Any = None
    description: str | None = None
    schema: dict[str, Any] | None = None
    path: tuple[str, ...] = ()

    def row(self) -> dict[str, Any]:
        """Return the columns that it says."""
        names = (
            "form", "kind", "interrupt_id", "digest", "position", "tool", "tool_call_id", "args", "value",
            "description", "schema",
        )  # fmt: skip
        return {**{name: getattr(self, name) for name in names}, "allowed": list(self.allowed)}


def drafts_of(
    asked: Sequence[Asked], calls: Sequence[ToolCalled] = (), tools: Mapping[str, BaseTool] | None = None
) -> list[Draft]:
    """Return what is asked, each call of a tool by itself.

    `calls` are those that the run's models have made: a batched question does not name them. `tools` are
    those of the runnable, which know what an edit may say.
    """
    waiting = list(calls)
    return [draft for one in asked for draft in drafts_of_one(one, waiting, tools or {})]


def drafts_of_one(asked: Asked, calls: list[ToolCalled], tools: Mapping[str, BaseTool]) -> list[Draft]:
    value = asked.value
    if isinstance(value, Mapping):
        if value.get("type") == ASKS and isinstance(value.get("tool"), str):
            return [own(asked, value)]
        if value.get("type") == "tool_approval" and isinstance(value.get("name"), str):
            return [per_call(asked, value)]
        if isinstance(value.get("action_requests"), list) and isinstance(value.get("review_configs"), list):
            return list(batched(asked, value, calls, tools))
    told = plain(value, named)
    schema = asked.response_schema if isinstance(asked.response_schema, dict) else None
    words = told.get("message") if isinstance(told, dict) else told
    text = words if isinstance(words, str) else None
    digest = call_digest("", told)
    return [
        Draft("input", "input", asked.id, digest, ("respond",), value=told, description=text, schema=schema,
              path=asked.path)
    ]  # fmt: skip


def own(asked: Asked, value: Mapping[str, Any]) -> Draft:
    """Return what a tool of ours asks (`gatehouse.tools.approving`)."""
    args = plain(value["args"], named)
    return Draft(
        "own", value["kind"], asked.id, call_digest(value["tool"], args), tuple(value["allowed"]),
        tool=value["tool"], tool_call_id=value.get("tool_call_id"), args=args,
        description=value.get("description"), schema=value.get("schema"), path=asked.path,
    )  # fmt: skip


def per_call(asked: Asked, value: Mapping[str, Any]) -> Draft:
    """Return what LangChain's middleware asks about one call, as it begins."""
    branches = branches_of(asked.response_schema)
    args = plain(value.get("args") or {}, named)
    return Draft(
        "per_call", "tool", asked.id, call_digest(value["name"], args),
        tuple(choice for choice in CHOICES if choice in branches),
        tool=value["name"], tool_call_id=value.get("tool_call_id"), args=args,
        description=value.get("description") or None,
        schema=edit_schema(asked.response_schema, branches["edit"]) if "edit" in branches else None,
        path=asked.path,
    )  # fmt: skip


def batched(
    asked: Asked, value: Mapping[str, Any], calls: list[ToolCalled], tools: Mapping[str, BaseTool]
) -> Iterator[Draft]:
    """Yield what LangChain's middleware asks at once about the calls of one turn of the model."""
    for position, (request, review) in enumerate(
        zip(value["action_requests"], value["review_configs"], strict=True)
    ):
        args = plain(request["args"], named)
        allowed = tuple(choice for choice in CHOICES if choice in review["allowed_decisions"])
        tool = request["name"]
        yield Draft(
            "batched", "tool", asked.id, call_digest(tool, args), allowed, position,
            tool=tool, tool_call_id=call_id_of(tool, args, calls), args=args,
            description=request.get("description") or None,
            schema=(review.get("args_schema") or args_schema(tools.get(tool))) if "edit" in allowed else None,
            path=asked.path,
        )  # fmt: skip


def call_id_of(tool: str, args: Any, calls: list[ToolCalled]) -> str | None:
    """Take the call that is asked about from those that wait, and return its id; None when unknown."""
    for number, call in enumerate(calls):
        if call.tool == tool and plain(call.input, named) == args:
            return calls.pop(number).call_id
    return None


def args_schema(tool: BaseTool | None) -> dict[str, Any]:
    """Return the JSON Schema of the arguments of a tool; any object where the tool is not known."""
    return schema_of(tool) if tool else ANY_OBJECT


def branches_of(schema: Any) -> dict[str, dict[str, Any]]:
    """Return the schemas of the decisions that LangChain's middleware takes, by their `type`."""
    if not isinstance(schema, dict):
        return {}
    found = {}
    for branch in schema.get("oneOf") or schema.get("anyOf") or [schema]:
        whole = resolved(branch, schema)
        kind = whole.get("properties", {}).get("type", {})
        name = kind.get("const") or next(iter(kind.get("enum", ())), None)
        if isinstance(name, str):
            found[name] = whole
    return found


def edit_schema(root: dict[str, Any], branch: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an edit's arguments, with the definitions that it refers to."""
    action = resolved(branch["properties"]["edited_action"], root)
    args = resolved(action["properties"]["args"], root)
    return {**args, "$defs": root["$defs"]} if "$defs" in root else args


def resolved(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """Return a schema, or the definition that it refers to."""
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    found: dict[str, Any] = root.get("$defs", {}).get(name, schema)
    return found
