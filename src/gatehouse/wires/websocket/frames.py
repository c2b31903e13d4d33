"""What a WebSocket sends: a run's records in one of two vocabularies, and errors. See docs/websocket.md."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from gatehouse.plain_json import from_json, json_text
from gatehouse.problems.errors import ApiError, BadRequest
from gatehouse.runs.events import Record

ASSISTANT = "Assistant"
PONG = '{"type":"pong"}'


class Frames(Protocol):
    """Encodes the records of one run that a socket follows."""

    def of(self, record: Record) -> Iterable[str]:
        """Return the frames of any record but the last."""
        ...

    def of_end(self, record: Record, text: str) -> Iterable[str]:
        """Return the frames of an `end`; `text` is the answer as far as it came."""
        ...


class RunFrames:
    """The run's events with `id`, from which a client resumes, and `run_id`.

    `key` is the Idempotency-Key of the message that began the run on this socket: the `start` tells it, so
    that a client with several messages under way knows whose run it is.
    """

    def __init__(self, run_id: str, key: str | None = None) -> None:
        self.run_id = run_id
        self.key = key

    def of(self, record: Record) -> Iterable[str]:
        if record.type == "start":
            return (self._start(record),)
        # the record is JSON already: parsing it again would be most of a token's cost here
        return (f'{{"id":"{record.cursor}","run_id":"{self.run_id}",{record.data[1:].decode()}',)

    def of_end(self, record: Record, text: str) -> Iterable[str]:  # noqa: ARG002  # of the other vocabulary
        return self.of(record)

    def _start(self, record: Record) -> str:
        about = {} if self.key is None else {"idempotency_key": self.key}
        return dumped({"id": str(record.cursor), **from_json(record.data), **about})


class LangChainFrames:
    """The run in the shape of LangChain's stream events, for pages that were written for those.

    `on_parser_end` comes once, for a run that failed or was cancelled too, so that a page stops waiting.
    What LangChain has no event for (error, restart, gap, end) is sent as the run's own event object.
    """

    def __init__(self, run_id: str, key: str | None = None) -> None:
        self.run_id = run_id
        self.plain = RunFrames(run_id)
        self.key = key

    def of(self, record: Record) -> Iterable[str]:
        match record.type:
            case "token":
                return (self._frame(record, "on_parser_stream", {"chunk": content_of(record)}),)
            case "complete":
                return (self._complete(record),)
            case "start":
                return (self._start(record),)
            case "tool_start" | "tool_end":
                return (self._tool(record),)
            case "agent_action":  # on_tool_start says the same
                return ()
        return self.plain.of(record)

    def of_end(self, record: Record, text: str) -> Iterable[str]:
        end = self.plain.of(record)
        if from_json(record.data)["status"] == "completed":
            return end
        return (self._frame(record, "on_parser_end", {"output": text}), *end)

    def _complete(self, record: Record) -> str:
        event = from_json(record.data)
        ended = event.get("finish_reason", "stop")
        early: dict[str, Any] = {} if ended == "stop" else {"metadata": {"finish_reason": ended}}
        return self._frame(record, "on_parser_end", {"output": event["content"]}, **early)

    def _start(self, record: Record) -> str:
        event = from_json(record.data)
        metadata = {field: event[field] for field in ("thread_id", "runnable", "attempt")}
        if self.key is not None:
            metadata["idempotency_key"] = self.key
        return self._frame(record, "on_parser_start", {}, metadata=metadata)

    def _tool(self, record: Record) -> str:
        event = from_json(record.data)
        data = {field: event[field] for field in ("input", "output") if field in event}
        metadata = {field: event[field] for field in ("call_id", "is_error") if field in event}
        return self._frame(record, f"on_{record.type}", data, name=event["tool"], metadata=metadata)

    def _frame(
        self, record: Record, event: str, data: dict[str, Any], name: str = ASSISTANT, **more: Any
    ) -> str:
        about = {"id": str(record.cursor), "event": event, "name": name, "run_id": self.run_id}
        return dumped({**about, "data": data, **more})


Vocabulary = type[RunFrames] | type[LangChainFrames]
VOCABULARIES: Mapping[str, Vocabulary] = {"run": RunFrames, "langchain": LangChainFrames}


def vocabulary_of(query: Mapping[str, str]) -> Vocabulary:
    """Return the vocabulary that `?events=` names, LangChain's without it. Raises BadRequest."""
    vocabulary = VOCABULARIES.get(query.get("events", "langchain"))
    if vocabulary is None:
        raise BadRequest("events is run or langchain.")
    return vocabulary


def error_frame(error: ApiError, request_id: str, **about: str | None) -> str:
    """Return an error of the socket itself, or of a frame that it took. It has no `id`: no run's log has it.

    `about` says what it is about: `run_id`, `idempotency_key`.
    """
    known = {name: value for name, value in about.items() if value is not None}
    problem = error.problem(f"urn:gatehouse:request:{request_id}")
    return dumped({"type": "error", "content": error.detail, "problem": problem, **known})


def content_of(record: Record) -> str:
    """Return what an event says."""
    content: str = from_json(record.data)["content"]
    return content


def dumped(value: dict[str, Any]) -> str:
    """Return `value` as the text of a frame."""
    return json_text(value)
