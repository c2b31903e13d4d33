"""Encodes a run's records as server-sent events (WHATWG HTML, section 9.2)."""

import random
from collections.abc import AsyncIterator, Callable

import structlog
from sse_starlette import EventSourceResponse

from gatehouse.plain_json import from_json, json_bytes
from gatehouse.problems.draining import Restarting
from gatehouse.problems.errors import ApiError
from gatehouse.problems.stores import STORE_IS_AWAY
from gatehouse.runs.events import Record

log = structlog.get_logger(__name__)

RETRY = b"retry: 1000\r\n\r\n"  # milliseconds after which a browser reconnects
HEARTBEAT_SECONDS = 15
SPREAD_MS = (100, 1000)  # in which the readers of a process that ends come back, not all at once

Frame = Callable[[Record], bytes]


class EventStream(EventSourceResponse):
    """Server-sent events. The base class has no media type of its own, and would be documented without."""

    media_type = "text/event-stream"


def typed(record: Record) -> bytes:
    """Return a record as an event of its type, with the event id that a client resumes from."""
    return b"id: %s\r\nevent: %s\r\ndata: %s\r\n\r\n" % (
        str(record.cursor).encode(),
        record.type.encode(),
        record.data,
    )


def plain(record: Record) -> bytes:
    """Return a record for clients that only want tokens: `{"token": …}` until `{"done": true}`.

    What would make the tokens before it wrong or incomplete is told as well: restart, gap and error, and the
    `finish_reason` of an answer that came to no natural end.
    """
    if record.type == "token":
        body = b'{"token":%s}' % json_bytes(from_json(record.data)["content"])
    elif record.type == "end":
        status = from_json(record.data)["status"]
        body = json_bytes({"done": True, "status": status})
    elif (
        record.type == "complete" and (ended := from_json(record.data).get("finish_reason", "stop")) != "stop"
    ):
        body = json_bytes({"finish_reason": ended})
    elif record.type in ("restart", "gap", "error"):
        body = json_bytes({record.type: from_json(record.data)})
    else:
        return b""
    return b"id: %s\r\ndata: %s\r\n\r\n" % (str(record.cursor).encode(), body)


def failure(error: ApiError, run_id: str) -> bytes:
    """Return an error that is no event of the run, so it has no id, and no `end` follows."""
    body = {"type": "error", "content": error.detail, "problem": error.problem(f"urn:gatehouse:run:{run_id}")}
    return b"event: error\r\ndata: %s\r\n\r\n" % json_bytes(body)


def read_on() -> bytes:
    """Return the last words of a stream that is cut before its run has ended: when to come back for more."""
    return b": read on from the last event\r\nretry: %d\r\n\r\n" % random.randint(*SPREAD_MS)  # noqa: S311


def event_stream(
    run_id: str, records: AsyncIterator[list[Record]], frame: Frame, send_timeout: float
) -> EventStream:
    """Return a response that sends the records; a reader that takes nothing for `send_timeout` s is cut."""

    async def body() -> AsyncIterator[bytes]:
        yield RETRY
        try:
            async for ready in records:
                if chunk := b"".join(map(frame, ready)):
                    yield chunk
        except Restarting:  # a stream without `end` is read on from its last event
            yield read_on()
        except STORE_IS_AWAY as error:
            log.warning("stream interrupted", run_id=run_id, error=type(error).__name__)
            yield read_on()
        except ApiError as error:  # the viewer's own: the run goes on
            yield failure(error, run_id)

    return EventStream(
        body(), ping=HEARTBEAT_SECONDS, send_timeout=send_timeout, headers={"x-run-id": run_id}
    )
