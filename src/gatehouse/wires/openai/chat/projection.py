"""The records of a run as the chunks of a chat completion.

Tools that run on this side are not told of: a client would try to run them. There is no word for a restart:
the text goes on where the new one begins with what was sent, and is an error otherwise.
"""

from collections.abc import Callable, Mapping
from typing import Any

from gatehouse.plain_json import from_json, json_bytes
from gatehouse.problems.errors import ApiError
from gatehouse.runs.events import Record
from gatehouse.runs.records import RunRecord
from gatehouse.wires.openai.chat.answers import finish_reason_of, identifier, tool_calls_of, usage_of
from gatehouse.wires.openai.errors import told
from gatehouse.wires.openai.tools import text_of
from gatehouse.wires.sse import DONE, frame

RESTARTED = {
    "message": "The answer began anew, and differs from what was sent of it: ask again.",
    "type": "server_error",
    "param": None,
    "code": "run_restarted",
}


class ChatChunks:
    """A chat completion as it is streamed to one viewer, from the run's first record on."""

    def __init__(self, run: RunRecord, model: str, *, include_usage: bool) -> None:
        self._include_usage = include_usage
        self._bound: Mapping[str, Any] = run.client.get("bound", {})
        self._about = {
            "id": identifier(run),
            "object": "chat.completion.chunk",
            "created": int(run.created_at),
            "model": model,
        }
        self._begun = False
        self._over = False
        self._sent: list[str] = []  # the text that the viewer has
        self._anew: str | None = None  # after a restart: the text that comes again, up to what was sent
        self._of: Mapping[str, Callable[[dict[str, Any]], bytes]] = {
            "start": self._start,
            "token": self._token,
            "reasoning": self._reasoning,
            "restart": self._restart,
            "gap": self._gap,
            "approval": self._approval,
            "complete": self._complete,
            "error": self._error,
            "end": self._end,
        }

    def opening(self) -> bytes:
        return b""

    def frames(self, record: Record) -> bytes:
        make = self._of.get(record.type)
        return b"" if self._over or make is None else make(from_json(record.data))

    def cut(self, error: ApiError) -> bytes:
        return b"" if self._over else self._fail(told(error.problem("")))

    def _start(self, _event: dict[str, Any]) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        return self._chunk({"role": "assistant", "content": ""})

    def _token(self, event: dict[str, Any]) -> bytes:
        return b"" if "schema" in self._bound else self._text(event["content"])

    def _reasoning(self, event: dict[str, Any]) -> bytes:
        """Tell what the model thinks, in the field that DeepSeek began and user interfaces show."""
        if self._anew is not None and self._sent:  # what stands has begun already
            return b""
        return self._chunk({"reasoning_content": event["content"]})

    def _restart(self, event: dict[str, Any]) -> bytes:
        self._anew = ""
        return self._start(event)  # of an attempt that was lost before its first record came into the log

    def _gap(self, event: dict[str, Any]) -> bytes:
        self._anew = ""
        return self._text(event["text"])

    def _approval(self, event: dict[str, Any]) -> bytes:
        return self._text(f"\n\n{event['content']}")

    def _error(self, event: dict[str, Any]) -> bytes:
        return self._fail(told(event["problem"]))

    def _end(self, _event: dict[str, Any]) -> bytes:
        """End a stream that did not complete: its run was stopped, or waits for somebody."""
        self._over = True
        return self._finish("stop") + DONE

    def _text(self, text: str) -> bytes:
        if self._anew is None:
            self._sent.append(text)
            return self._chunk({"content": text})
        self._anew += text
        sent = "".join(self._sent)
        if self._anew.startswith(sent):
            more, self._anew = self._anew[len(sent) :], None
            return self._text(more) if more else b""
        return b"" if sent.startswith(self._anew) else self._fail(RESTARTED)

    def _complete(self, complete: dict[str, Any]) -> bytes:
        if self._anew is not None and self._sent:  # it says less than was sent
            return self._fail(RESTARTED)
        usage = self._usage(complete) if self._include_usage else b""
        self._over = True
        calls = tool_calls_of(self._bound, complete)
        more = self._chunk({"content": text_of(self._bound, complete)}) if "schema" in self._bound else b""
        more += b"".join(
            self._chunk({"tool_calls": [{"index": at, **call}]}) for at, call in enumerate(calls)
        )
        return more + self._finish(finish_reason_of(complete, calls)) + usage + DONE

    def _finish(self, reason: str) -> bytes:
        return self._chunk({}, reason)

    def _usage(self, complete: dict[str, Any]) -> bytes:
        return frame(json_bytes({**self._about, "choices": [], "usage": usage_of(complete)}))

    def _fail(self, error: dict[str, Any]) -> bytes:
        self._over = True
        return frame(json_bytes({"error": error}))

    def _chunk(self, delta: dict[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return frame(json_bytes({**self._about, "choices": [choice]}))
