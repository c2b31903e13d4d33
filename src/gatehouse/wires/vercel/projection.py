"""A run as one assistant's message of the AI SDK's UI message stream, version 1 (`useChat` of ai 6 and 7).

The message's id is the run's. `useChat` takes nothing back of a message that it is reading, but reads one
with the same id anew when it resumes. So an answer that begins again is told on as long as it says what was
said before, and where it does not, the stream ends with an error after which the client resumes: what it
reads then is the answer that stands.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from gatehouse.plain_json import from_json, json_bytes
from gatehouse.problems.errors import ApiError
from gatehouse.runs.events import BEGINNING, Cursor, Record
from gatehouse.runs.records import RunRecord
from gatehouse.wires.sse import DONE, frame
from gatehouse.wires.vercel.blocks import parts_of
from gatehouse.wires.vercel.parts import Chunk, Parts

FINISH_REASONS = {
    "stop": "stop", "length": "length", "refusal": "content-filter", "content_filter": "content-filter",
}  # fmt: skip

Event = Mapping[str, Any]


class BeganAgain(ApiError):
    """The answer began again, and says something else than the part that the client has."""

    status = 409
    kind = "answer-began-again"
    default_detail = "The answer began again: resume the stream to read it."


class UIMessageStream:
    """One viewer's stream, from the run's first record. Nothing is sent before the record at `until`: of what
    a client that comes back has missed, it is told what stands. `answered` are the approvals that it has
    answered: of a message that it has up to these, it is told what follows.
    """

    def __init__(
        self, run: RunRecord, until: Cursor = BEGINNING, answered: Collection[str] = frozenset()
    ) -> None:
        self._run = run
        self._until = until
        self._parts = Parts()
        self._sent = ""  # the text that the client has
        self._owed = ""  # the part of it that an attempt after a restart has yet to say
        self._stale: set[str] = set()  # the calls that were going on at a restart
        self._answered = set(answered)  # those that were not come by yet
        self._silent = bool(answered)
        self._calls: dict[str, str] = {}  # by the ids of approvals
        self._denied: set[str] = set()  # calls
        self._about: Chunk = {}  # the answer
        self._ended: Chunk = {"type": "finish", "finishReason": "other"}
        self._telling: Mapping[str, Callable[[str, Event], None]] = {
            "token": lambda at, event: self._token(at, event["content"]),
            "reasoning": self._thought,
            "tool_start": self._call,
            "tool_end": self._result,
            "custom": self._custom,
            "state": self._state,
            "restart": lambda _at, _event: self._restart(),
            "gap": self._gap,
            "complete": self._complete,
            "approval": self._approval,
            "decided": self._decided,
            "error": lambda _at, event: self._fail(event["content"]),
            "end": self._end,
        }

    def opening(self) -> bytes:
        thread = {} if self._run.thread_id is None else {"threadId": self._run.thread_id}
        self._parts.begin(self._run.id, {"runId": self._run.id, **thread})
        return b"" if self._until > BEGINNING or self._silent else self._frames()

    def frames(self, record: Record) -> bytes:
        """Raises BeganAgain, which the client is told of with `cut`."""
        if self._silent and not self._answered and record.type in ("decided", "end"):
            self._silent = False
            self._parts.take()
        if told := self._telling.get(record.type):
            told(str(record.cursor), from_json(record.data))
        if self._silent or (record.cursor < self._until and record.type != "end"):
            return b""
        self._until = BEGINNING
        frames = self._frames()
        return frames + DONE if record.type == "end" else frames

    def cut(self, error: ApiError) -> bytes:
        return encoded({"type": "error", "errorText": error.detail}) + DONE

    def _frames(self) -> bytes:
        return b"".join(map(encoded, self._parts.take()))

    def _token(self, at: str, text: str) -> None:
        if self._owed:
            if self._owed.startswith(text):
                self._owed = self._owed[len(text) :]
                return
            if not text.startswith(self._owed):
                raise BeganAgain
            text, self._owed = text[len(self._owed) :], ""
        self._sent += text
        self._parts.words("text", at, text)

    def _thought(self, at: str, event: Event) -> None:
        if not self._owed:
            self._parts.words("reasoning", at, event["content"])

    def _call(self, at: str, event: Event) -> None:
        call_id = event["call_id"] or at
        self._stale.discard(call_id)
        if call_id not in self._parts and (self._owed or self._stale):
            raise BeganAgain
        self._parts.call(call_id, event["tool"], event["input"])

    def _result(self, at: str, event: Event) -> None:
        call_id = event["call_id"] or next(iter(self._parts.pending), at)
        self._stale.discard(call_id)
        if call_id in self._denied:
            self._parts.deny(call_id)
        else:
            self._parts.result(call_id, event["tool"], event["output"], failed=event["is_error"])

    def _approval(self, at: str, event: Event) -> None:
        """What waits for a person: of a tool's call as the SDK has it, of anything else as data."""
        approval = event["approval"]
        self._answered.discard(approval["id"])
        if approval["kind"] != "tool":
            self._parts.part({"type": "data-approval", "id": approval["id"], "data": approval})
            return
        call_id = self._calls[approval["id"]] = approval["tool_call_id"] or at
        self._parts.ask(call_id, approval["tool"], approval["args"], approval["id"])

    def _decided(self, _at: str, event: Event) -> None:
        if event["decision"] == "reject" and event["approval_id"] in self._calls:
            self._denied.add(self._calls[event["approval_id"]])

    def _custom(self, _at: str, event: Event) -> None:
        """A node's own data. Its `type` and `id`, where it has them, are those of the part, as LangChain's
        adapter for the AI SDK does it; without an id it is shown, and not kept in the message.
        """
        data = event["data"]
        named = data if isinstance(data, dict) else {}
        kind = named["type"] if isinstance(named.get("type"), str) else "custom"
        kept: Chunk = {"id": named["id"]} if isinstance(named.get("id"), str) else {"transient": True}
        self._parts.part({"type": f"data-{kind}", **kept, "data": data})

    def _state(self, _at: str, event: Event) -> None:
        self._parts.part({"type": "data-state", "transient": True, "data": dict(event)})

    def _restart(self) -> None:
        """What was said is void. Where nothing was sent, it is left out."""
        if self._until > BEGINNING:
            self._parts.void()
            self._sent = ""
            return
        self._owed = self._sent
        self._stale = set(self._parts.pending)

    def _gap(self, at: str, event: Event) -> None:
        self._restart()
        if event["text"]:
            self._token(at, event["text"])

    def _complete(self, at: str, event: Event) -> None:
        if self._owed:
            raise BeganAgain
        self._parts.close()
        for chunk in parts_of(at, event):
            self._parts.part(chunk)
        reason = FINISH_REASONS.get(event.get("finish_reason", "stop"), "other")
        self._about = {"usage": event["usage"], "finishReason": event.get("finish_reason", "stop")}
        self._ended = {"type": "finish", "finishReason": reason}

    def _fail(self, why: str) -> None:
        self._parts.part({"type": "error", "errorText": why})
        self._ended = {"type": "finish", "finishReason": "error"}

    def _end(self, _at: str, event: Event) -> None:
        """The message has the status: to the SDK a stream that is cut has ended, and a client can tell so."""
        waits = event["status"] == "waiting"
        if not waits:
            self._parts.abandon()
        about = {**self._about, "status": event["status"]}
        self._parts.part({"type": "message-metadata", "messageMetadata": about})
        ended = {"type": "finish", "finishReason": "tool-calls"} if waits else self._ended
        self._parts.end({"type": "abort"} if event["status"] == "cancelled" else ended)


def encoded(chunk: Chunk) -> bytes:
    return frame(json_bytes(chunk))
