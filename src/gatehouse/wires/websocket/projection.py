"""What a WebSocket sends: a run's records in one of two vocabularies, and errors. See docs/websocket.md."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gatehouse.plain_json import from_json, json_text
from gatehouse.problems.errors import ApiError, BadRequest
from gatehouse.runs.events import Record
from gatehouse.runs.records import RunRecord
from gatehouse.wires.projection import Fold

ASSISTANT = "Assistant"
PONG = '{"type":"pong"}'


Texts = Sequence[str]  # frames of a WebSocket


class RunFrames(Fold[Texts]):
    """The run's events with `id`, from which a client resumes, and `run_id`.

    `key` is the Idempotency-Key of the message that began the run on this socket: the `start` tells it, so
    that a client with several messages under way knows whose run it is.
    """

    def __init__(self, run: RunRecord, key: str | None = None) -> None:
        self.run_id = run.id
        self.key = key

    def frames(self, record: Record) -> Texts:
        if record.type == "start":
            return (self._start(record),)
        # the record is JSON already: parsing it again would be most of a token's cost here
        (attempt, sequence), _, data = record
        return (f'{{"id":"{attempt}-{sequence}","run_id":"{self.run_id}",{data[1:].decode()}',)

    def _start(self, record: Record) -> str:
        about = {} if self.key is None else {"idempotency_key": self.key}
        return dumped({"id": str(record.cursor), **from_json(record.data), **about})


class LangChainFrames(Fold[Texts]):
    """The run in the shape of LangChain's stream events, for pages that were written for those.

    `on_parser_end` comes once, for a run that failed or was cancelled too, so that a page stops waiting.
    What LangChain has no event for (error, restart, gap, end) is sent as the run's own event object.

    `run` is as it was when the viewer came, with the text so far: what is read may begin after a part of it.
    """

    def __init__(self, run: RunRecord, key: str | None = None) -> None:
        self.run_id = run.id
        self.plain = RunFrames(run)
        self.key = key
        self._said, self._known = [run.text], run.text_cursor
        self._telling: Mapping[str, Callable[[Record], Texts]] = {
            "start": self._start,
            "token": self._token,
            "agent_action": lambda _record: (),  # on_tool_start says the same
            "tool_start": self._tool,
            "tool_end": self._tool,
            "restart": self._anew,
            "gap": self._anew,
            "complete": self._complete,
            "end": self._end,
        }

    def frames(self, record: Record) -> Texts:
        return self._telling.get(record.type, self.plain.frames)(record)

    def _start(self, record: Record) -> Texts:
        event = from_json(record.data)
        metadata = {field: event[field] for field in ("thread_id", "runnable", "attempt")}
        if self.key is not None:
            metadata["idempotency_key"] = self.key
        return self._frame(record, "on_parser_start", {}, metadata=metadata)

    def _token(self, record: Record) -> Texts:
        text = from_json(record.data)["content"]
        if record.cursor > self._known:
            self._said.append(text)
        return self._frame(record, "on_parser_stream", {"chunk": text})

    def _tool(self, record: Record) -> Texts:
        event = from_json(record.data)
        data = {field: event[field] for field in ("input", "output") if field in event}
        metadata = {field: event[field] for field in ("call_id", "is_error") if field in event}
        return self._frame(record, f"on_{record.type}", data, name=event["tool"], metadata=metadata)

    def _anew(self, record: Record) -> Texts:
        if record.cursor > self._known:
            self._said = [from_json(record.data).get("text", "")]
        return self.plain.frames(record)

    def _complete(self, record: Record) -> Texts:
        event = from_json(record.data)
        ended = event.get("finish_reason", "stop")
        early: dict[str, Any] = {} if ended == "stop" else {"metadata": {"finish_reason": ended}}
        return self._frame(record, "on_parser_end", {"output": event["content"]}, **early)

    def _end(self, record: Record) -> Texts:
        end = self.plain.frames(record)
        if from_json(record.data)["status"] == "completed":
            return end
        return (*self._frame(record, "on_parser_end", {"output": "".join(self._said)}), *end)

    def _frame(
        self, record: Record, event: str, data: dict[str, Any], name: str = ASSISTANT, **more: Any
    ) -> Texts:
        about = {"id": str(record.cursor), "event": event, "name": name, "run_id": self.run_id}
        return (dumped({**about, "data": data, **more}),)


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


def dumped(value: dict[str, Any]) -> str:
    """Return `value` as the text of a frame."""
    return json_text(value)
