"""What holds for every wire: how its frames are written, and that a replay tells the same."""

import ast
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import gatehouse
from gatehouse.identity.principal import Principal
from gatehouse.plain_json import from_json
from gatehouse.problems.draining import Restarting
from gatehouse.problems.errors import ApiError, CredentialExpired, Unavailable
from gatehouse.runs.events import (
    BEGINNING,
    Complete,
    Cursor,
    End,
    Error,
    Event,
    Gap,
    Reasoning,
    Record,
    Restart,
    Start,
    Token,
    ToolEnd,
    ToolStart,
    Usage,
    record,
)
from gatehouse.runs.records import RunRecord
from gatehouse.wires.openai.chat.projection import ChatChunks
from gatehouse.wires.openai.responses.projection import ResponseEvents
from gatehouse.wires.projection import Fold, Projection
from gatehouse.wires.run_api.projection import Plain, Typed
from gatehouse.wires.vercel.projection import UIMessageStream
from gatehouse.wires.websocket.projection import LangChainFrames, RunFrames, Texts

ALICE = Principal("acme", "alice", "Alice", frozenset({"*"}), "jwt", "1")
RESPONSE = {"response": {"echoed": {}, "input": [], "background": False, "model": "agent"}}
RUN = RunRecord("r1", ALICE, "/agent", "x", "t1", 1000.5, 2000.0, 0, client=RESPONSE)
STREAMS: dict[str, Callable[[], Projection]] = {
    "typed": lambda: Typed("r1"),
    "plain": lambda: Plain("r1"),
    "chat": lambda: ChatChunks(RUN, "agent", include_usage=True),
    "responses": lambda: ResponseEvents(RUN),
    "ui": lambda: UIMessageStream(RUN),
}
# those of which a reader comes back with the id of a record, and how they begin again
RESUMED: dict[str, Callable[[RunRecord], Fold[bytes] | Fold[Texts]]] = {
    "typed": lambda run: Typed(run.id),
    "plain": lambda run: Plain(run.id),
    "websocket": RunFrames,
    "websocket of langchain": LangChainFrames,
}
NUMBER = re.compile(rb'"sequence_number":(\d+)')
ODD = "a\r\nb\rc\n\n\u2028 data: \u0085"  # what could end a line, were it not escaped


def attempt(number: int, *events: Event) -> list[Record]:
    return [record(Cursor(number, place), event) for place, event in enumerate(events, 1)]


def start(number: int) -> Start:
    return Start(run_id="r1", thread_id="t1", runnable="agent", attempt=number)


COMPLETE = Complete(content=ODD + "more", usage=Usage(1, 2, 3), duration_ms=5)
LOGS = {
    "completed": attempt(
        1,
        start(1),
        Reasoning(ODD),
        ToolStart(content="It looks.", tool="look", call_id="c1", input={"at": ODD}),
        ToolEnd(content="", tool="look", call_id="c1", output=ODD, is_error=False),
        Token(ODD),
        Token("more"),
        COMPLETE,
        End(status="completed"),
    ),
    "taken over": attempt(1, start(1), Token(ODD))
    + attempt(
        2, Restart(content="again", attempt=2), Token(ODD), Token("more"), COMPLETE, End(status="completed")
    ),
    "lost a part": [
        record(Cursor(1, 9), Gap(requested="0-0", oldest="1-10", text=ODD)),
        record(Cursor(1, 10), Token("more")),
        record(Cursor(1, 11), End(status="cancelled")),
    ],
    "cancelled": attempt(1, start(1), Token(ODD), End(status="cancelled")),
    "failed": attempt(
        1,
        start(1),
        Token(ODD),
        Error(content="It failed.", problem=ApiError("It failed.").problem("urn:gatehouse:run:r1")),
        End(status="failed"),
    ),
}


def whole(projection: Projection, log: list[Record]) -> bytes:
    return projection.opening() + b"".join(map(projection.frames, log))


def as_it_was(before: list[Record]) -> RunRecord:
    """Return the run as it is found once these records are there."""
    text = ""
    for item in before:
        event = from_json(item.data)
        text = text + event["content"] if item.type == "token" else text
        text = event.get("text", "") if item.type in ("restart", "gap") else text
    return replace(RUN, text=text, text_cursor=before[-1].cursor if before else BEGINNING)


def text_of(constant: object) -> str:
    return constant.decode("latin-1") if isinstance(constant, bytes) else str(constant)


def check_frames(sent: bytes) -> None:
    """Fail unless this is any number of whole frames of server-sent events, in lines that end in LF."""
    if not sent:
        return
    assert b"\r" not in sent
    assert sent.endswith(b"\n\n")
    for frame in sent.removesuffix(b"\n\n").split(b"\n\n"):
        for line in frame.split(b"\n"):
            assert re.match(rb"(id|event|data|retry): [^ ]|: ", line), line


@pytest.mark.requirement("wires.frames")
@pytest.mark.parametrize("log", LOGS)
@pytest.mark.parametrize("wire", STREAMS)
def test_each_write_is_whole_frames_in_lines_that_end_in_lf(wire: str, log: str) -> None:
    projection = STREAMS[wire]()
    check_frames(projection.opening())
    for item in LOGS[log]:
        check_frames(projection.frames(item))


@pytest.mark.requirement("wires.cut")
@pytest.mark.parametrize("error", [Restarting(), Unavailable(), CredentialExpired(), ApiError()])
@pytest.mark.parametrize("wire", STREAMS)
def test_a_stream_that_ends_early_says_so_first(wire: str, error: ApiError) -> None:
    projection = STREAMS[wire]()
    projection.opening()
    projection.frames(LOGS["completed"][0])
    last = projection.cut(error)
    check_frames(last)
    assert re.search(rb"error|read on", last)


@pytest.mark.requirement("wires.replay")
@pytest.mark.parametrize("log", LOGS)
@pytest.mark.parametrize("wire", STREAMS)
def test_a_replay_elsewhere_is_the_same_bytes(wire: str, log: str) -> None:
    assert whole(STREAMS[wire](), LOGS[log]) == whole(STREAMS[wire](), LOGS[log])


@pytest.mark.requirement("wires.replay")
@pytest.mark.parametrize("log", LOGS)
@pytest.mark.parametrize("wire", RESUMED)
def test_a_reader_that_comes_back_is_told_the_rest_alone(wire: str, log: str) -> None:
    records = LOGS[log]
    first = RESUMED[wire](RUN)
    told = [first.frames(item) for item in records]
    for place in range(len(records) + 1):
        again = RESUMED[wire](as_it_was(records[:place]))
        assert [again.frames(item) for item in records[place:]] == told[place:]


@pytest.mark.requirement("wires.ends")
@pytest.mark.parametrize(
    ("log", "wire", "told"),
    [
        ("completed", "chat", '"finish_reason":"stop"'),
        ("completed", "responses", "event: response.completed"),
        ("completed", "ui", '"type":"finish","finishReason":"stop"'),
        ("completed", "typed", '"status":"completed"'),
        ("failed", "chat", '"error":{"message":"It failed."'),
        ("failed", "responses", "event: response.failed"),
        ("failed", "ui", '"type":"error","errorText":"It failed."'),
        ("failed", "typed", "event: error"),
        ("lost a part", "chat", '"finish_reason":"stop"'),  # what was cancelled
        ("lost a part", "responses", "event: response.failed"),  # its events cannot be counted any more
        ("lost a part", "ui", '"type":"abort"'),
        ("lost a part", "typed", '"status":"cancelled"'),
        ("cancelled", "chat", '"finish_reason":"stop"'),
        ("cancelled", "responses", '"status":"cancelled"'),
        ("cancelled", "ui", '"type":"abort"'),
        ("cancelled", "typed", '"status":"cancelled"'),
    ],
)
def test_every_end_is_told_in_a_wire_s_own_words(log: str, wire: str, told: str) -> None:
    assert told in whole(STREAMS[wire](), LOGS[log]).decode()


@pytest.mark.requirement("openai.responses.starting-after")
@pytest.mark.parametrize("log", LOGS)
def test_the_events_after_a_number_are_those_of_the_whole(log: str) -> None:
    events = whole(ResponseEvents(RUN), LOGS[log]).split(b"\n\n")
    numbers = [int(found[1]) for event in events if (found := NUMBER.search(event))]
    for place, number in enumerate([-1, *numbers]):
        rest = whole(ResponseEvents(RUN, after=number), LOGS[log])
        assert rest.split(b"\n\n") == events[place:]


@pytest.mark.requirement("wires.frames")
def test_nothing_outside_wires_builds_a_frame() -> None:
    source = Path(gatehouse.__file__).parent
    framing = re.compile(r"^(data|event|retry): ")
    found = [
        path.relative_to(source).parts[0]
        for path in source.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Constant) and framing.search(text_of(node.value))
    ]
    assert set(found) == {"wires", "cli"}  # the command line reads them
