"""Bounds for what the model writes in a form: so small a one may add to a list, or to a text, for ever."""

from functools import lru_cache
from typing import Any

from pydantic import BaseModel

MOST_ITEMS = 6
MOST_CHARACTERS = 300  # of a text
HAS_BOUNDS = {"maxLength", "enum", "const", "pattern", "format"}


def bounded(form: Any) -> Any:
    """Return a `response_format`, or a part of one, whose lists and texts have an end."""
    if isinstance(form, type) and issubclass(form, BaseModel):
        return _bounded_class(form)
    if isinstance(form, list):
        return [bounded(part) for part in form]
    if not isinstance(form, dict):
        return form
    inside = {name: bounded(part) for name, part in form.items()}
    if form.get("type") == "array":
        return {"maxItems": max(MOST_ITEMS, form.get("minItems", 0)), **inside}
    if form.get("type") == "string" and not HAS_BOUNDS & form.keys():
        return {**inside, "maxLength": max(MOST_CHARACTERS, form.get("minLength", 0))}
    return inside


@lru_cache(maxsize=100)
def _bounded_class(form: type[BaseModel]) -> type[BaseModel]:
    schema = staticmethod(lambda *args, **options: bounded(form.model_json_schema(*args, **options)))
    own = {"__module__": form.__module__, "__doc__": form.__doc__, "model_json_schema": schema}
    return type(form.__name__, (form,), own)
