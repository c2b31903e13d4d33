"""What a bound tool's JSON schema says about the values it takes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from gatehouse.models.embedded.text import WORDS


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a tool; `about` is its description with the tool's, which may say more."""

    name: str
    schema: Mapping[str, Any]
    required: bool
    about: str

    @property
    def words(self) -> list[str]:
        return words_of(self.name)

    @property
    def kind(self) -> str:
        """What to look for: `enum`, `number`, `array`, `arithmetic`, `text` or `name`, else nothing."""
        kind = "enum" if "enum" in self.schema else str(self.schema.get("type"))
        if kind != "string" or {"format", "pattern"} & self.schema.keys():
            return "number" if kind == "integer" else kind
        if "arithmetic" in self.about.lower():
            return "arithmetic"
        return "text" if {*WORDS["free_text"]} & {*self.words} else "name"

    @property
    def least_items(self) -> int:
        """Fewest items of a list, from the schema or from words such as `two or more`."""
        said = re.search(r"\b(?:two|2) (?:or|to)\b|\bat least (?:two|2)\b", self.about.lower())
        return int(self.schema.get("minItems", 2 if said else 1))

    @property
    def in_words(self) -> str:
        """What the parameter is, for a question to the user: `initial (amount invested)`."""
        about = self.schema.get("description") or ", ".join(map(str, self.schema.get("enum", ())))
        return " ".join(self.words) + (f" ({about})" if about else "")


@dataclass(frozen=True, slots=True)
class Tool:
    """A bound tool as the embedded model sees it; `schema` is the JSON schema of its arguments."""

    name: str
    description: str
    parameters: tuple[Parameter, ...]
    schema: Mapping[str, Any]

    @classmethod
    def of(cls, bound: Mapping[str, Any]) -> Self:
        """Return the tool of an entry of `tools` in OpenAI's form."""
        function = bound["function"]
        said, schema = function.get("description") or "", function.get("parameters") or {}
        parameters = []
        for name, described in (schema.get("properties") or {}).items():
            variants = [each for each in described.get("anyOf") or () if each.get("type") != "null"]
            prop = {**described, **variants[0]} if len(variants) == 1 else described
            about = f"{prop.get('description', '')} {said}"
            parameters.append(Parameter(name, prop, name in schema.get("required", ()), about))
        return cls(function["name"], said, tuple(parameters), schema)

    @property
    def words(self) -> str:
        """The name in plain words."""
        return " ".join(words_of(self.name))

    @property
    def texts(self) -> tuple[str, str]:
        """What stands for the tool: its name, and that with the first sentence of its description."""
        purpose = re.split(r"\n\s*\n|(?<=[.!?])\s|:\s", self.description.strip(), maxsplit=1)[0]
        return self.words, f"{self.words}: {purpose}"

    @property
    def vocabulary(self) -> frozenset[str]:
        """The lower-case words of the tool's own texts, without a plural: they are no names in a message."""
        own = " ".join((self.description, self.words, *(" ".join(p.words) for p in self.parameters)))
        return frozenset(word.removesuffix("s") for word in re.findall(r"\b[a-z]+\b", own))


def words_of(identifier: str) -> list[str]:
    """Return the words of `snake_case` or `camelCase` in lower case."""
    return re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", identifier).lower())
