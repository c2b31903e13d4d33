"""Server-sent events as tests read them."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Frame:
    """One event. `id` and `event` are empty when it has none."""

    id: str
    event: str
    data: Any

    @property
    def type(self) -> str:
        return str(self.data["type"])


def frames_of(lines: Iterable[str]) -> Iterator[Frame]:
    """Yield the events of a stream's lines, but not its comments and `retry`."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if name in ("id", "event", "data"):
            fields[name] = value
        if not line and ("event" in fields or "data" in fields):
            data = fields.get("data")
            yield Frame(fields.get("id", ""), fields.get("event", ""), json.loads(data) if data else None)
            fields = {}


def frames_in(text: str) -> list[Frame]:
    """Return the events of a whole stream."""
    return list(frames_of(text.split("\n")))
