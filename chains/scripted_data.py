"""Data that fits a JSON schema, made from a text: what the scripted chat model answers where data is asked."""

from collections.abc import Mapping
from typing import Any

WORDS_IN_A_STRING = 5


def data_for(schema: Mapping[str, Any], text: str) -> dict[str, Any]:
    """Return an object with every property of `schema`, the same for the same schema and text.

    Strings are the first words of the text within the lengths asked for, enums their first value, numbers
    their minimum or the count of words, lists as short as allowed but not empty.
    """
    return _Maker(text.split() or ["nothing"], schema.get("$defs") or {}).object(schema)


class _Maker:
    def __init__(self, words: list[str], definitions: Mapping[str, Any]) -> None:
        self._words = words
        self._definitions = definitions

    def object(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self.value(prop) for name, prop in (schema.get("properties") or {}).items()}

    def value(self, schema: Mapping[str, Any]) -> Any:
        if "$ref" in schema:
            return self.value(self._definitions[schema["$ref"].rsplit("/", 1)[-1]])
        if "enum" in schema or "const" in schema:
            return schema["enum"][0] if "enum" in schema else schema["const"]
        if variants := schema.get("anyOf") or schema.get("oneOf"):
            return self.value(variants[0])
        match schema.get("type"):
            case "object":
                return self.object(schema)
            case "array":
                return [self.value(schema.get("items") or {})] * max(1, schema.get("minItems", 1))
            case "integer" | "number":
                return self._number(schema)
            case "boolean":
                return True
            case "null":
                return None
            case _:
                return self._string(schema)

    def _number(self, schema: Mapping[str, Any]) -> int | float:
        least: int | float = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
        most: int | float = schema.get("maximum", float("inf"))
        return max(least, min(len(self._words), most))

    def _string(self, schema: Mapping[str, Any]) -> str:
        text = " ".join(self._words[:WORDS_IN_A_STRING]).ljust(schema.get("minLength", 0), "x")
        return text[: schema.get("maxLength")]
