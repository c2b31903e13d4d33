"""Entries as tools of MCP: what they are called, what they take, and what is asked of them with it."""

from collections.abc import Mapping
from typing import Any

from mcp_types import Tool
from pydantic import ValidationError

from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import InvalidInput
from gatehouse.problems.faults import invalid_input
from gatehouse.registry.entry import ServedEntry
from gatehouse.registry.offered import offered
from gatehouse.services import Services
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


def tools_of(services: Services, principal: Principal) -> dict[str, ServedEntry]:
    """Return the entries that are tools and that the caller's tenant is offered, by their names."""
    entries = offered(services.settings, principal, services.entries).values()
    return {entry.mcp_name: entry for entry in entries if entry.mcp}


def described(entry: ServedEntry) -> Tool:
    """Return what a client is told of an entry."""
    return Tool(
        name=entry.mcp_name, title=entry.name, description=entry.description, input_schema=schema_of(entry)
    )


def schema_of(entry: ServedEntry) -> dict[str, Any]:
    """Return the JSON Schema of a call's arguments: a query, or the input where no text makes one."""
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
