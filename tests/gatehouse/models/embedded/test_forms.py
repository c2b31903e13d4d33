"""Bounds for what the embedded model writes in a form."""

from typing import Any

import pytest
from openai.lib._pydantic import to_strict_json_schema
from pydantic import BaseModel, Field

from gatehouse.models.embedded.forms import bounded


class Page(BaseModel):
    """A page."""

    title: str
    lines: list[str]
    words: list[str] = Field(max_length=2)


@pytest.mark.parametrize(
    ("schema", "added"),
    [
        ({"type": "string"}, {"maxLength": 300}),
        ({"type": "string", "maxLength": 5}, {}),
        ({"type": "string", "enum": ["a"]}, {}),
        ({"type": "string", "minLength": 900}, {"maxLength": 900}),
        ({"type": "array", "items": {"type": "integer"}}, {"maxItems": 6}),
        ({"type": "array", "maxItems": 9}, {}),
        ({"type": "array", "minItems": 9}, {"maxItems": 9}),
        ({"type": "integer"}, {}),
    ],
)
def test_are_set_where_a_schema_has_none(schema: dict[str, Any], added: dict[str, Any]) -> None:
    assert bounded(schema) == schema | added
    assert bounded({"json_schema": {"anyOf": [schema]}}) == {"json_schema": {"anyOf": [schema | added]}}


def test_of_a_class_are_in_what_is_asked_of_the_server_and_nowhere_else() -> None:
    form = bounded(Page)
    asked = to_strict_json_schema(form)
    assert asked["properties"]["title"]["maxLength"] == 300
    assert asked["properties"]["lines"]["maxItems"] == 6
    assert asked["properties"]["words"]["maxItems"] == 2
    assert form.__name__ == "Page"
    assert isinstance(form(title="t" * 500, lines=[], words=[]), Page)
    assert bounded(Page) is form
