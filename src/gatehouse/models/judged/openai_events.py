"""The events of a stream as servers that speak OpenAI's API send them, read as they are meant.

OpenAI's client gives the whole answer up for an event that is no JSON: an empty one,
a sign of life, an end mark in other words. What a byte order mark stands before is lost to it.
"""

import json
from collections.abc import AsyncIterator, Iterator

from langchain_core.language_models import BaseChatModel
from openai._streaming import ServerSentEvent, SSEDecoder

END = "[DONE]"
NOTHING = frozenset({"", "null", "none"})
SIGNS_OF_LIFE = frozenset(
    {"ping", "pong", "keepalive", "keep-alive", "keep_alive", "heartbeat", "processing"}
)
MARK = "\ufeff"
LAST = b"\n\n"  # ends the last event, which some servers leave open


class DialectEvents(SSEDecoder):
    """Reads a stream's lines. JSON that stands there by itself, in one line or several, is an event too."""

    def __init__(self) -> None:
        super().__init__()
        self._begun = False
        self._over = False
        self._bare: list[str] = []  # the lines of JSON that has no end yet

    def iter_bytes(self, iterator: Iterator[bytes]) -> Iterator[ServerSentEvent]:
        yield from super().iter_bytes(self._closed(iterator))

    async def aiter_bytes(self, iterator: AsyncIterator[bytes]) -> AsyncIterator[ServerSentEvent]:
        async for event in super().aiter_bytes(self._aclosed(iterator)):
            yield event

    def _closed(self, received: Iterator[bytes]) -> Iterator[bytes]:
        yield from received
        self._over = True
        yield LAST

    async def _aclosed(self, received: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for part in received:
            yield part
        self._over = True
        yield LAST

    def decode(self, line: str) -> ServerSentEvent | None:
        """Return the event that a line ends, None while there is none."""
        if not self._begun:
            self._begun, line = True, line.removeprefix(MARK)
        if self._bare or (line[:1] in ("{", "[") and not self._data):
            return self._of_bare(line)
        if line.startswith("error:"):
            return error_of(line.removeprefix("error:"))
        event = super().decode(line)
        if event is None or (event.data[:1] == "{" and not self._over):
            return event
        return self._as_meant(event)

    def _of_bare(self, line: str) -> ServerSentEvent | None:
        self._bare.append(line)
        if not (self._over or len(self._bare) == 1 or line[:1] in ("}", "]")):
            return None
        text = "\n".join(self._bare)
        if not is_json(text):
            return None
        self._bare.clear()
        return self._as_meant(ServerSentEvent(data=text))

    def _as_meant(self, event: ServerSentEvent) -> ServerSentEvent | None:
        word = event.data.strip().strip('"').lower()
        if word.strip("[] ") == "done":
            return ServerSentEvent(data=END)
        if word in NOTHING or word.strip("[]:. ") in SIGNS_OF_LIFE:
            return None
        if is_json(event.data):
            return unpacked(event)
        if event.event in SIGNS_OF_LIFE or self._over:  # what is cut off at the end ended before it
            return None
        return error_of(event.data) if event.event == "error" else event


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def unpacked(event: ServerSentEvent) -> ServerSentEvent:
    """Return an event with its error out of the list that Gemini puts it into."""
    told = json.loads(event.data)
    found = told[0] if isinstance(told, list) and told else None
    is_error = isinstance(found, dict) and "error" in found
    return ServerSentEvent(event=event.event, data=json.dumps(found)) if is_error else event


def error_of(told: str) -> ServerSentEvent:
    """Return the event of an error that is told outside of JSON, or as the only thing in it."""
    error = json.loads(told) if is_json(told) else told.strip()
    whole = error if isinstance(error, dict) and "error" in error else {"error": error or "?"}
    return ServerSentEvent(data=json.dumps(whole))


def read_events(model: BaseChatModel) -> None:
    """Let the clients of a model of LangChain's package for OpenAI read their streams so."""
    for name in ("root_client", "root_async_client"):
        if (client := getattr(model, name, None)) is not None:
            client._make_sse_decoder = DialectEvents
