"""A client's own tools and the form that it wants an answer in, for a chat model that is served alone."""

from collections.abc import Mapping, Sequence
from typing import Any

from gatehouse.plain_json import json_text
from gatehouse.registry.entry import ServedEntry
from gatehouse.wires.openai.errors import InvalidValue, UnsupportedParameter

Bound = dict[str, Any]
Function = Mapping[str, Any]


def bound_tools(entry: ServedEntry, functions: Sequence[Function], choice: Any) -> Bound:
    """Return what binds these functions, `{name, description?, parameters?, strict?}`, to the entry's model.

    `choice` is auto, none, required or the name of one. Raises UnsupportedParameter, InvalidValue.
    """
    if not functions or choice == "none":
        return {}
    if not entry.client_tools:
        raise UnsupportedParameter(
            "tools", f"The model {entry.name} takes no tools of a client: it has its own."
        )
    names = [function.get("name") for function in functions]
    if not all(isinstance(name, str) and name for name in names):
        raise InvalidValue("tools", "Each tool is a function with a name.")
    if choice not in (None, "auto", "required", *names):
        raise InvalidValue("tool_choice", "It is auto, none, required, or a function among the tools.")
    tools = [{"type": "function", "function": dict(function)} for function in functions]
    return {"tools": tools, **({} if choice in (None, "auto") else {"tool_choice": choice})}


def bound_schema(entry: ServedEntry, given: Mapping[str, Any], param: str) -> Bound:
    """Return what makes the entry's model answer in a format: `{type, name, schema}`. Raises as above."""
    if given.get("type", "text") == "text":
        return {}
    if not entry.client_tools or given["type"] != "json_schema":
        raise UnsupportedParameter(param, f"The model {entry.name} does not answer as {given['type']!s:.40}.")
    schema = given.get("schema")
    if not isinstance(schema, dict) or not isinstance(given.get("name"), str):
        raise InvalidValue(param, "A json_schema has a name and a schema, which is an object.")
    return {"schema": {"description": str(given.get("description") or ""), **schema, "title": given["name"]}}


def calls_of(complete: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the calls of a client's tools in an answer: `{id, name, arguments}`, the last as JSON text."""
    blocks = (complete.get("message") or {}).get("content", ())
    return [
        {"id": str(block["id"]), "name": block["name"], "arguments": arguments_of(block.get("args"))}
        for block in blocks
        if block.get("type") in ("tool_call", "invalid_tool_call")
    ]


def arguments_of(given: Any) -> str:
    """Return a call's arguments as text; those of a call that is no JSON are text already."""
    return given if isinstance(given, str) else json_text(given or {})


def text_of(bound: Mapping[str, Any], complete: Mapping[str, Any]) -> str:
    """Return the text of an answer: in the client's schema it is all of its JSON."""
    return json_text(complete.get("value")) if "schema" in bound else str(complete["content"])
