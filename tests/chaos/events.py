"""Server-sent events, parsed as far as a Gatehouse client needs (WHATWG HTML, section 9.2)."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import orjson

END_OF_EVENT = b"\n\n"


class Event(NamedTuple):
    """`id` is empty where it is no event of the run: what keeps its viewer from it."""

    id: str
    type: str
    body: dict[str, Any]


async def events(chunks: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    """Yield the events in a response body; comments and `retry` are left out, as is an unfinished event."""
    pending = b""
    async for chunk in chunks:
        *blocks, pending = (pending + chunk).split(END_OF_EVENT)
        for block in blocks:
            if event := parsed(block):
                yield event


def parsed(block: bytes) -> Event | None:
    """Return the event that these lines are, or None when they are no event."""
    fields = dict(line.split(": ", 1) for line in block.decode().split("\n") if not line.startswith(":"))
    if "data" not in fields:
        return None
    return Event(fields.get("id", ""), fields["event"], orjson.loads(fields["data"]))
