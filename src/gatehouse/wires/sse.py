"""Server-sent events (WHATWG HTML, section 9.2): how frames are written and a run's are sent.

Lines end in LF, and no frame has empty data: some clients dispatch on an exactly empty line alone, and others
parse every `data` as JSON. No frame is cut by a write: some forget what a read from the network has cut.
"""

from collections.abc import AsyncIterator, Mapping

from gatehouse.runs.events import Record
from gatehouse.wires.event_stream import EventStream
from gatehouse.wires.projection import Projection, projected


def frame(data: bytes = b"", event: str = "", event_id: str = "") -> bytes:
    """Return a frame of those that there are: its id, its type, and its data, which is one line."""
    lines = b"data: %s\n\n" % data if data else b"\n"
    if event:
        lines = b"event: %s\n%s" % (event.encode(), lines)
    return b"id: %s\n%s" % (event_id.encode(), lines) if event_id else lines


DONE = frame(b"[DONE]")  # the last frame of a whole stream, on the wires that have one


def event_stream(
    run_id: str,
    records: AsyncIterator[list[Record]],
    projection: Projection,
    send_timeout: float,
    headers: Mapping[str, str] | None = None,
) -> EventStream:
    """Return a response that sends the records; a reader that takes nothing for `send_timeout` s is cut.

    `headers` are further ones.
    """
    about = {"x-run-id": run_id, **(headers or {})}
    return EventStream(projected(run_id, records, projection), send_timeout, about)
