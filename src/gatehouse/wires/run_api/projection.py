"""The run API's frames: events of the run log as they are, or plain tokens. Clients resume from their ids."""

import random

from gatehouse.plain_json import from_json, json_bytes
from gatehouse.problems.draining import Restarting
from gatehouse.problems.errors import ApiError, Unavailable
from gatehouse.runs.events import Record
from gatehouse.wires import sse

RETRY = b"retry: 1000\n\n"  # milliseconds after which a browser reconnects
SPREAD_MS = (100, 1000)  # in which the readers of a process that ends come back, not all at once


class Typed:
    """A record as an event of its type. What is made of a record depends on it alone."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id

    def opening(self) -> bytes:
        return RETRY

    def frames(self, record: Record) -> bytes:
        return typed(record)

    def cut(self, error: ApiError) -> bytes:
        if isinstance(
            error, Restarting | Unavailable
        ):  # a stream without `end` is read on from its last event
            return read_on()
        return failure(error, self.run_id)


class Plain(Typed):
    """A record for clients that only want tokens."""

    def frames(self, record: Record) -> bytes:
        return plain(record)


def typed(record: Record) -> bytes:
    """Return a record as an event of its type, with the event id that a client resumes from."""
    (attempt, sequence), kind, data = record  # in one go, which half of the time of `sse.frame` is
    return b"id: %d-%d\nevent: %s\ndata: %s\n\n" % (attempt, sequence, kind.encode(), data)


def plain(record: Record) -> bytes:
    """Return a record for clients that only want tokens: `{"token": …}` until `{"done": true}`.

    What would make the tokens before it wrong or incomplete is told as well: restart, gap and error, what the
    run waits for (`approval`), and the `finish_reason` of an answer that came to no natural end.
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
    elif record.type in ("restart", "gap", "error", "approval"):
        body = json_bytes({record.type: from_json(record.data)})
    else:
        return b""
    return sse.frame(body, event_id=str(record.cursor))


def failure(error: ApiError, run_id: str) -> bytes:
    """Return an error that is no event of the run, so it has no id, and no `end` follows."""
    body = {"type": "error", "content": error.detail, "problem": error.problem(f"urn:gatehouse:run:{run_id}")}
    return sse.frame(json_bytes(body), "error")


def read_on() -> bytes:
    """Return the last words of a stream that is cut before its run has ended: when to come back for more."""
    return b": read on from the last event\nretry: %d\n\n" % random.randint(*SPREAD_MS)  # noqa: S311
