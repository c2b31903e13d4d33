"""Server-sent events (WHATWG HTML, section 9.2): how frames are written and a run's are sent.

Lines end in LF, and no frame has empty data: some clients dispatch on an exactly empty line alone, and others
parse every `data` as JSON.
"""

from collections.abc import AsyncIterator, Mapping

from gatehouse.runs.events import Record
from gatehouse.wires.event_stream import EventStream
from gatehouse.wires.projection import Projection, projected


def frame(data: bytes, event: str = "") -> bytes:
    """Return a frame of data, which is one line and not empty; `event` is its type, where it has one."""
    return b"event: %s\ndata: %s\n\n" % (event.encode(), data) if event else b"data: %s\n\n" % data


DONE = frame(b"[DONE]")  # the last frame of a whole stream, on the wires that have one


def event_stream(
    run_id: str,
    records: AsyncIterator[list[Record]],
    projection: Projection,
    send_timeout: float,
    separator: str = "\n",
    headers: Mapping[str, str] | None = None,
) -> EventStream:
    """Return a response that sends the records; a reader that takes nothing for `send_timeout` s is cut.

    `separator` ends the lines of heartbeats; `headers` are further ones.
    """
    about = {"x-run-id": run_id, **(headers or {})}
    return EventStream(projected(run_id, records, projection), send_timeout, separator, about)
