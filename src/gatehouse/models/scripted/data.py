"""Data that fits a JSON schema, made from a text: what the scripted chat model fills in."""

from collections.abc import Mapping
from typing import Any

WORDS_IN_A_STRING = 5


def data_for(schema: Mapping[str, Any], text: str) -> dict[str, Any]:
    """Return an object with every property of `schema`, the same for the same schema and text.

    Strings are the first words of the text within the lengths asked for, enums their first value, numbers
    their minimum or the count of words, lists as short as allowed but not empty.
    """
    return _Maker(text.split() or ["nothing"], schema.get("$defs") or {}).data(schema)


class _Maker:
    def __init__(self, words: list[str], definitions: Mapping[str, Any]) -> None:
        self._words = words
        self._definitions = definitions

    def data(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self.value(prop) for name, prop in (schema.get("properties") or {}).items()}

    def value(self, schema: Mapping[str, Any]) -> Any:
        if "$ref" in schema:
            return self.value(self._definitions[schema["$ref"].rsplit("/", 1)[-1]])
        if fixed := schema.get("enum") or ([schema["const"]] if "const" in schema else None):
            return fixed[0]
        if variants := schema.get("anyOf") or schema.get("oneOf"):
            return self.value(variants[0])
        return self._of_type(schema)

    def _of_type(self, schema: Mapping[str, Any]) -> Any:
        made: Any
        match schema.get("type"):
            case "object":
                made = self.data(schema)
            case "array":
                made = self._array(schema)
            case "integer" | "number":
                made = self._number(schema)
            case "boolean":
                made = True
            case "null":
                made = None
            case _:
                made = self._string(schema)
        return made

    def _array(self, schema: Mapping[str, Any]) -> list[Any]:
        return [self.value(schema.get("items") or {})] * max(1, schema.get("minItems", 1))

    def _number(self, schema: Mapping[str, Any]) -> int | float:
        least: int | float = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
        most: int | float = schema.get("maximum", float("inf"))
        return max(least, min(len(self._words), most))

    def _string(self, schema: Mapping[str, Any]) -> str:
        text = " ".join(self._words[:WORDS_IN_A_STRING]).ljust(schema.get("minLength", 0), "x")
        return text[: schema.get("maxLength")]
