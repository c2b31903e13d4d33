"""Entries as tools of MCP: what they are called, what they take, and what is asked of them with it."""

from collections.abc import Mapping
from typing import Any

from mcp_types import Tool, ToolAnnotations
from pydantic import ValidationError

from gatehouse.problems.errors import InvalidInput
from gatehouse.problems.faults import invalid_input
from gatehouse.registry.entry import ServedEntry, ToolAlone
from gatehouse.wires.questions import ChatRequest

QUERY = {
    "type": "object",
    "properties": {
        "query": {"type": "string", "description": "what is asked", "minLength": 1},
        "thread_id": {
            "type": "string",
            "description": "the conversation that goes on, of an earlier answer's _meta",
        },
    },
    "required": ["query"],
    "additionalProperties": False,
}


def described(entry: ServedEntry) -> Tool:
    """Return what a client is told of an entry."""
    tool = entry.tool
    return Tool(
        name=entry.mcp_name,
        title=tool.name if tool else entry.name,
        description=entry.description,
        input_schema=schema_of(entry),
        annotations=annotations_of(tool) if tool else None,
    )


def annotations_of(tool: ToolAlone) -> ToolAnnotations:
    """Return what a client may rely on: what reads alone, and what does nothing more when it is repeated."""
    return ToolAnnotations(
        read_only_hint=tool.acts is None, idempotent_hint=tool.acts.idempotent if tool.acts else None
    )


def schema_of(entry: ServedEntry) -> dict[str, Any]:
    """Return the JSON Schema of a call's arguments: a query, or the input where no text makes one."""
    if entry.tool is not None:
        return dict(entry.tool.arguments)
    if entry.shape.saying is not None:
        return QUERY
    schema = entry.shape.input_schema.model_json_schema()
    if not is_wrapped(schema):
        return schema
    definitions = schema.pop("$defs", {})
    named = {"$defs": definitions} if definitions else {}
    return {"type": "object", "properties": {"input": schema}, "required": ["input"], **named}


def is_wrapped(schema: Mapping[str, Any]) -> bool:
    """Tell whether an input is an argument called `input`: arguments are an object, and it is none."""
    return schema.get("type") != "object"


def asked(entry: ServedEntry, arguments: Mapping[str, Any]) -> ChatRequest:
    """Return what a call asks. Raises InvalidInput."""
    if entry.tool is not None:  # which says itself what is wrong with them
        return ChatRequest(input={"arguments": dict(arguments)})
    said = entry.shape.saying is not None
    wrapped = not said and is_wrapped(entry.shape.input_schema.model_json_schema())
    taken = {"query", "thread_id"} if said else {"input"} if wrapped else arguments.keys()
    if unknown := sorted(arguments.keys() - taken):
        raise InvalidInput(f"The tool takes {' and '.join(sorted(taken))}, not {', '.join(unknown)[:200]}.")
    question = arguments if said or wrapped else {"input": dict(arguments)}
    try:
        return ChatRequest(**question, runnable=entry.name)
    except ValidationError as error:
        raise invalid_input(error, "arguments") from None
