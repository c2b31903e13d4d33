"""What a bound tool's JSON schema says about the values it takes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from gatehouse.models.embedded.text.arithmetic import arithmetic_in
from gatehouse.models.embedded.text.change import End, end_named
from gatehouse.models.embedded.text.durations import TIME_UNITS
from gatehouse.models.embedded.text.numbers import COUNTED, UNITS

Kind = Literal["enum", "number", "boolean", "arithmetic", "pattern", "text", "name", "list", "other"]

FREE_TEXT = frozenset(
    ("body", "content", "description", "input", "message", "note", "notes", "prompt", "query", "question",
     "search", "sentence", "text", "title")
)  # fmt: skip
PATTERNS = {
    "date": r"\d{4}-\d{2}-\d{2}",
    "email": r"[^\s@]+@[^\s@]+\.\w+",
    "uri": r"https?://\S+",
}
_SENTENCE_END = re.compile(r"\n\s*\n|(?<=[.!?])\s|:\s")
_WORD = re.compile(r"[^\W\d_]+")
_AT_LEAST = re.compile(r"\b(?:at least (\w+)|(\w+) (?:or more|to (?:\w+)))\b")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a tool: its name, its JSON schema, and whether a call must have it."""

    name: str
    schema: Mapping[str, Any]
    required: bool
    of_tool: str  # the tool's description: it may say what the parameter's own does not

    @property
    def kind(self) -> Kind:
        """What is to be looked for in a message."""
        if "enum" in self.schema or "const" in self.schema:
            return "enum"
        kinds: dict[str, Kind] = {"integer": "number", "number": "number", "boolean": "boolean"}
        match self.schema.get("type"):
            case "array":
                return "list"
            case "string":
                return self._kind_of_string()
            case simple:
                return kinds.get(str(simple), "other")

    @property
    def values(self) -> Sequence[Any]:
        """The values of an enum."""
        return self.schema.get("enum") or [self.schema.get("const")]

    @property
    def in_words(self) -> str:
        """What the parameter is, for a question to the user: `initial (amount invested)`."""
        if self.kind == "enum":
            about = f"one of {', '.join(map(str, self.values))}"
        elif self.kind == "list" and self.item_bounds[0] > 1:
            about = f"at least {self.item_bounds[0]}"
        else:
            about = self.schema.get("description", "")
        return f"{' '.join(words_of(self.name))} ({about})" if about else " ".join(words_of(self.name))

    @property
    def pattern(self) -> str:
        """The regular expression that the words of a `pattern` parameter match in full."""
        return self.schema.get("pattern") or PATTERNS[self.schema["format"]]

    @property
    def units(self) -> frozenset[str]:
        """The units that the parameter counts, by its name: `minutes` counts minutes, `rate` percent."""
        words = [word.rstrip("s") for word in words_of(self.name)]
        percent = {"%"} if {"percent", "percentage", "rate", "interest"} & set(words) else set()
        counted = set(words[-1:]) & set(COUNTED)  # a stock price counts no stocks
        return frozenset(set(words) & set(TIME_UNITS) | percent | counted)

    @property
    def end(self) -> End | None:
        """Which end of a change the parameter is, by its name or its description; None for neither."""
        described = _WORD.findall(self.schema.get("description", "").lower())
        return end_named(words_of(self.name)) or end_named(described)

    @property
    def item_bounds(self) -> tuple[int, float]:
        """Fewest and most items of a list, from the schema or from words such as `two or more`."""
        least = self.schema.get("minItems")
        if least is None:
            said = _AT_LEAST.search(f"{self.schema.get('description', '')} {self.of_tool}".lower())
            least = _count(said[1] or said[2]) if said else 1
        return least, self.schema.get("maxItems", float("inf"))

    def _kind_of_string(self) -> Kind:
        said = f"{self.schema.get('description', '')} {self.of_tool}"
        if "pattern" in self.schema or self.schema.get("format") in PATTERNS:
            return "pattern"
        if arithmetic_in(said) or "arithmetic" in said.lower():
            return "arithmetic"
        return "text" if FREE_TEXT & set(words_of(self.name)) else "name"


@dataclass(frozen=True, slots=True)
class Tool:
    """A bound tool as the embedded model sees it; `schema` is the JSON schema of its arguments."""

    name: str
    description: str
    parameters: tuple[Parameter, ...]
    schema: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, bound: Mapping[str, Any]) -> Self:
        """Return the tool of an entry of `tools` in OpenAI's form."""
        function = bound["function"]
        description = function.get("description") or ""
        schema = function.get("parameters") or {}
        required = set(schema.get("required") or ())
        return cls(
            function["name"],
            description,
            tuple(
                Parameter(name, _without_null(prop), name in required, description)
                for name, prop in (schema.get("properties") or {}).items()
            ),
            schema,
        )

    @property
    def words(self) -> str:
        """The name in plain words."""
        return " ".join(words_of(self.name))

    @property
    def purpose(self) -> str:
        """What the tool does: the first sentence of its description, without a list of details."""
        return _SENTENCE_END.split(self.description.strip(), maxsplit=1)[0]

    @property
    def vocabulary(self) -> frozenset[str]:
        """The lower-case words of the tool's own texts: they are no names in a message about it."""
        own = " ".join((self.name, *(parameter.name for parameter in self.parameters)))
        described = {word for word in _WORD.findall(self.description) if word.islower()}
        return frozenset(word.rstrip("s") for word in described | set(words_of(own)))


def words_of(identifier: str) -> list[str]:
    """Return the words of `snake_case` or `camelCase` in lower case."""
    return [word.lower() for word in _WORD.findall(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", identifier))]


def _without_null(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what an optional type allows besides null."""
    variants = [variant for variant in schema.get("anyOf") or () if variant.get("type") != "null"]
    return {**schema, **variants[0]} if len(variants) == 1 else schema


def _count(word: str) -> int:
    if word.isdigit():
        return int(word)
    return UNITS.index(word) if word in UNITS else 1
