"""Bounds for what the embedded model writes in a form."""

from enum import Enum
from typing import Any

import pytest
from openai.lib._pydantic import to_strict_json_schema
from pydantic import BaseModel, Field

from gatehouse.models.embedded.forms import bounded, bounded_form


class Colour(Enum):
    RED = "red"


class Line(BaseModel):
    text: str


class Page(BaseModel):
    """A page."""

    title: str
    short: str = Field(max_length=5)
    number: int
    colour: Colour
    lines: list[Line]
    words: list[str] = Field(max_length=2)


@pytest.mark.parametrize(
    ("schema", "wanted"),
    [
        ({"type": "string"}, {"type": "string", "maxLength": 400}),
        ({"type": "string", "maxLength": 5}, {"type": "string", "maxLength": 5}),
        ({"type": "string", "enum": ["a"]}, {"type": "string", "enum": ["a"]}),
        ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
        ({"type": "integer"}, {"type": "integer"}),
        (
            {"type": "array", "items": {"type": "string"}},
            {"type": "array", "items": {"type": "string", "maxLength": 160}, "maxItems": 6},
        ),
        ({"type": "array", "maxItems": 9}, {"type": "array", "maxItems": 9}),
        ({"type": "array", "minItems": 9}, {"type": "array", "minItems": 9, "maxItems": 9}),
        ({"type": "string", "minLength": 900}, {"type": "string", "minLength": 900, "maxLength": 900}),
        ({"anyOf": [{"type": "string"}]}, {"anyOf": [{"type": "string", "maxLength": 400}]}),
    ],
)
def test_are_set_where_a_schema_has_none(schema: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert bounded(schema) == wanted


def test_of_a_class_are_in_what_is_asked_of_the_server_and_nowhere_else() -> None:
    form = bounded_form(Page)
    asked = to_strict_json_schema(form)
    assert asked["properties"]["title"]["maxLength"] == 400
    assert asked["properties"]["lines"]["maxItems"] == 6
    assert asked["properties"]["words"]["maxItems"] == 2
    assert form.__name__ == "Page"
    assert "maxLength" not in Page.model_json_schema()["properties"]["title"]
    long = form(title="t" * 500, short="s", number=1, colour=Colour.RED, lines=[], words=[])
    assert isinstance(long, Page)
    assert bounded_form(Page) is form


def test_of_openais_dict_are_in_its_schema() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "text", "schema": {"type": "string"}}}
    assert bounded_form(form)["json_schema"] == {
        "name": "text",
        "schema": {"type": "string", "maxLength": 400},
    }


@pytest.mark.parametrize("form", [{"type": "json_object"}, {"type": "text"}])
def test_of_what_has_no_schema_there_are_none(form: dict[str, str]) -> None:
    assert bounded_form(form) == form
