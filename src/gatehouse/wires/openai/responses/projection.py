"""The records of a run as the events of a response, each with its number.

They are counted from the run's first record on, so that every replica gives an event the same number, and who
has seen some is sent those after them. A process that dies may have told its own viewers more than came into
the log: after it they are counted from a number on that it cannot have reached. What a log that was trimmed
has lost cannot be counted: that is told as an error.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gatehouse.plain_json import from_json, json_bytes
from gatehouse.problems.errors import ApiError
from gatehouse.runs.events import Record
from gatehouse.runs.records import RunRecord
from gatehouse.wires.openai.errors import told
from gatehouse.wires.openai.responses.output import Event, Output
from gatehouse.wires.openai.responses.resource import ASKED, resource, usage_of
from gatehouse.wires.openai.tools import calls_of, text_of
from gatehouse.wires.sse import DONE, frame

ERROR = ("code", "message", "param")
TAKEOVER = 1_000_000  # numbers are counted from a multiple of it after each
INCOMPLETE = {"length": "max_output_tokens", "refusal": "content_filter", "content_filter": "content_filter"}
LOST = {
    "message": "The events before this one are no longer kept: ask for the whole response.",
    "type": "server_error",
    "param": None,
    "code": "events_lost",
}


class ResponseEvents:
    """A response as it is streamed to one viewer, from the run's first record on.

    A run that waits for people is a response up to there (`part` 0), and another after each wait: 1 and so
    on. Events with a number up to `after` are left out.
    """

    def __init__(self, run: RunRecord, part: int = 0, after: int = -1) -> None:
        self.run = run
        self.part = part
        self.output = Output(f"{run.id}_{part}" if part else run.id)
        self.over = False
        self._now = 0  # the part that the records are of
        self._decided_in = 0  # the attempt that began it
        self._done = False
        self.problem: Mapping[str, Any] | None = None  # of a run that failed
        self.status = "queued" if run.client[ASKED]["background"] else "in_progress"
        self._after = after
        self._number = 0
        self._attempt = 0
        self._known: dict[str, Any] = {}
        self._begun = False
        self._of: Mapping[str, Callable[[dict[str, Any]], Iterator[Event]]] = {
            "start": self._start,
            "token": self._token,
            "reasoning": lambda event: self.output.think(event["content"]),
            "tool_start": self._tool_start,
            "tool_end": self._tool_end,
            "gap": self._gap,
            "approval": self._approval,
            "complete": self._complete,
            "error": self._error,
            "end": self._end,
        }

    def opening(self) -> bytes:
        return b""

    def frames(self, record: Record) -> bytes:
        told = b"".join(map(self._numbered, self.events(record)))
        if not self.over or self._done:
            return told
        self._done = True
        return told + DONE

    def cut(self, error: ApiError) -> bytes:
        """Say why the stream ends. The response goes on: the client can join it again, after the number told.

        That is the last event's, since the log has none for this one.
        """
        if self.over:
            return b""
        said = told(error.problem(""))
        number = max(self._number - 1, self._after)
        return numbered(number, "error", {name: said[name] for name in ERROR})

    def response(self) -> dict[str, Any]:
        """Return the response as it is after the records so far."""
        return resource(self.run, self.part, self.status, self.output.told(), **self._known)

    def events(self, record: Record) -> Iterator[Event]:
        """Yield the events of the next record."""
        anew = record.cursor.attempt > max(self._attempt, 1)
        self._attempt = record.cursor.attempt
        if record.type == "decided" and self._decided_in != record.cursor.attempt:
            self._decided_in = record.cursor.attempt
            yield from self._next_part()
        if self.over or self._now != self.part:
            return
        if record.type == "restart":
            if anew:
                self._number = (self._number // TAKEOVER + 1) * TAKEOVER
            yield from self._start(
                {}
            )  # of an attempt that was lost before its first record came into the log
            yield from self.output.take_back(calls=anew)
        elif (make := self._of.get(record.type)) is not None:
            yield from make(from_json(record.data))

    def _next_part(self) -> Iterator[Event]:
        """Go on after a wait: with it the response before has ended, and the next one begins."""
        self._now += 1
        if self._now == self.part:
            yield from self._start({})
        elif self._now == self.part + 1 and not self.over:
            yield from self.output.end_message()
            yield self._ended("completed")

    def _start(self, _event: dict[str, Any]) -> Iterator[Event]:
        if self._begun:
            return
        self._begun = True
        yield "response.created", {"response": self.response()}
        if self.status == "queued":
            yield "response.queued", {"response": self.response()}
        self.status = "in_progress"
        yield "response.in_progress", {"response": self.response()}

    def _token(self, event: dict[str, Any]) -> Iterator[Event]:
        return iter(()) if "schema" in self._bound else self.output.say(event["content"])

    def _tool_start(self, event: dict[str, Any]) -> Iterator[Event]:
        return self.output.call(event["call_id"], event["tool"], event["input"])

    def _tool_end(self, event: dict[str, Any]) -> Iterator[Event]:
        return self.output.returned(event["call_id"], event["output"], failed=event["is_error"])

    def _approval(self, event: dict[str, Any]) -> Iterator[Event]:
        asked = event["approval"]
        if asked["kind"] != "tool":  # the vocabulary has no other: it is told in words
            return self.output.say(f"\n\n{event['content']}")
        return self.output.approval(asked["id"], asked["tool"], asked["args"])

    def _gap(self, _event: dict[str, Any]) -> Iterator[Event]:
        return self._fail(LOST)

    def _complete(self, event: dict[str, Any]) -> Iterator[Event]:
        if "schema" in self._bound:
            yield from self.output.say(text_of(self._bound, event))
        yield from self.output.end_message()
        if "tools" in self._bound:
            for call in calls_of(event):
                yield from self.output.function_call(call["id"], call["name"], call["arguments"])
        self._known["usage"] = usage_of(event["usage"])
        self._known["completed_at"] = int(self.run.created_at + event["duration_ms"] / 1000)
        reason = INCOMPLETE.get(event.get("finish_reason", "stop"))
        if reason is not None:
            self._known["incomplete_details"] = {"reason": reason}
        yield self._ended("completed" if reason is None else "incomplete")

    def _error(self, event: dict[str, Any]) -> Iterator[Event]:
        self.problem = event["problem"]
        return self._fail(told(event["problem"]))

    def _end(self, event: dict[str, Any]) -> Iterator[Event]:
        """End a response that did not complete: it waits for somebody, or was stopped."""
        yield from self.output.end_message()
        if event["status"] == "waiting":
            yield self._ended("completed")
            return
        self.status = "cancelled"
        self.over = True
        yield "response.incomplete", {"response": self.response()}

    def _fail(self, error: Mapping[str, Any]) -> Iterator[Event]:
        yield "error", {name: error[name] for name in ERROR}
        self._known["error"] = {"code": error_code(error), "message": error["message"]}
        yield self._ended("failed")

    def _ended(self, status: str) -> Event:
        self.status = status
        self.over = True
        return f"response.{status}", {"response": self.response()}

    @property
    def _bound(self) -> Mapping[str, Any]:
        bound: Mapping[str, Any] = self.run.client.get("bound", {})
        return bound

    def _numbered(self, event: Event) -> bytes:
        kind, said = event
        number, self._number = self._number, self._number + 1
        if number <= self._after:
            return b""
        return numbered(number, kind, said)


def numbered(number: int, kind: str, said: Mapping[str, Any]) -> bytes:
    return frame(json_bytes({"type": kind, "sequence_number": number, **said}), kind)


def error_code(error: Mapping[str, Any]) -> str:
    """Return the nearest of the codes that OpenAI has for a response."""
    return "rate_limit_exceeded" if error["type"] == "rate_limit_error" else "server_error"
