"""Bounds for what the model writes in a form: so small a one may add to a list, or to a text, for ever."""

from functools import lru_cache
from typing import Any

from pydantic import BaseModel

MOST_ITEMS = 6
MOST_CHARACTERS = 400  # of a text
MOST_CHARACTERS_OF_AN_ITEM = 160
HAS_BOUNDS = ("maxLength", "enum", "const", "pattern", "format")


def bounded_form(form: Any) -> Any:
    """Return a `response_format` whose lists and texts have an end: a pydantic class, or OpenAI's dict."""
    if isinstance(form, type) and issubclass(form, BaseModel):
        return bounded_class(form)
    if isinstance(form, dict) and "schema" in form.get("json_schema", {}):
        described = form["json_schema"]
        return {**form, "json_schema": {**described, "schema": bounded(described["schema"])}}
    return form


@lru_cache(maxsize=100)
def bounded_class(form: type[BaseModel]) -> type[BaseModel]:
    """Return the class with another JSON schema: what is an instance of it is one of `form`, and no more."""

    def model_json_schema(*args: Any, **options: Any) -> dict[str, Any]:
        schema: dict[str, Any] = bounded(form.model_json_schema(*args, **options))
        return schema

    described = {"__module__": form.__module__, "__doc__": form.__doc__}
    return type(form.__name__, (form,), {**described, "model_json_schema": staticmethod(model_json_schema)})


def bounded(schema: Any, most: int = MOST_CHARACTERS) -> Any:
    """Return a JSON schema with bounds where it has none."""
    if isinstance(schema, list):
        return [bounded(part, most) for part in schema]
    if not isinstance(schema, dict):
        return schema
    of_items = {"items", "prefixItems"}
    inside = {
        name: bounded(part, MOST_CHARACTERS_OF_AN_ITEM if name in of_items else most)
        for name, part in schema.items()
    }
    if schema.get("type") == "array":
        return {"maxItems": max(MOST_ITEMS, schema.get("minItems", 0)), **inside}
    if schema.get("type") == "string" and not any(name in schema for name in HAS_BOUNDS):
        return {**inside, "maxLength": max(most, schema.get("minLength", 0))}
    return inside
