"""The form in which a person fills in an input that is more than a text."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from gatehouse.registry.shapes.saying import SAID_FIELDS
from gatehouse.registry.shapes.shape import Shape

SAID = {"type": "string", "title": "Message"}
DEFINITION = "#/$defs/"


@lru_cache(maxsize=256)  # schemas of messages take a millisecond each
def form_of(shape: Shape) -> dict[str, Any] | None:
    """Return the JSON Schema of an input to fill in; None where a text is all that a person gives.

    What was said before is not asked for: the thread has it. In place of messages there is `input`, a text.
    """
    saying = shape.saying
    schema = resolved(shape.input_schema.model_json_schema())
    if saying is None:
        return with_definitions(schema)
    properties: Mapping[str, Any] = schema.get("properties", {})
    asked = {name: of for name, of in properties.items() if name != saying.history}
    if not asked.keys() - {saying.field}:
        return None
    required = [name for name in schema.get("required", ()) if name in asked]
    if saying.kind == "messages":
        asked = {"input": SAID, **{name: of for name, of in asked.items() if name != saying.field}}
        required = ["input", *(name for name in required if name != saying.field)]
    return with_definitions({**schema, "properties": asked, "required": required})


def is_form_first(shape: Shape) -> bool:
    """Tell whether a text alone makes no input, or is not what one would call a question."""
    saying, form = shape.saying, form_of(shape)
    if saying is None or form is None:
        return form is not None
    if saying.kind == "messages":
        return len(form["required"]) > 1
    return saying.field not in SAID_FIELDS or bool(set(form["required"]) - {saying.field})


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that is one of its own definitions, as that of a TypedDict is, with its fields."""
    name = str(schema.get("$ref", "")).removeprefix(DEFINITION)
    of = schema.get("$defs", {}).get(name)
    return schema if of is None else {**of, **{key: it for key, it in schema.items() if key != "$ref"}}


def with_definitions(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without those definitions that nothing in it refers to."""
    known = schema.get("$defs", {})
    rest = {name: of for name, of in schema.items() if name != "$defs"}
    kept: dict[str, Any] = {}
    pending = list(references(rest))
    while pending:
        name = pending.pop()
        if name in known and name not in kept:
            kept[name] = known[name]
            pending += references(known[name])
    return {**rest, "$defs": kept} if kept else rest


def references(part: Any) -> Iterator[str]:
    """Yield the names of the definitions that a part of a schema refers to."""
    if isinstance(part, Mapping):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"].removeprefix(DEFINITION)
        for item in part.values():
            yield from references(item)
    elif isinstance(part, list):
        for item in part:
            yield from references(item)
