"""What a viewer of a chat completion is sent of records that a healthy server seldom makes."""

import json
from typing import Any

import pytest

from gatehouse.identity.principal import Principal
from gatehouse.problems.draining import Restarting
from gatehouse.problems.errors import RunFailed
from gatehouse.runs.events import (
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
    Usage,
    record,
)
from gatehouse.runs.records import RunRecord
from gatehouse.wires.openai.chat.projection import ChatChunks

ALICE = Principal("acme", "alice", "Alice", frozenset({"*"}), "jwt", "1")
RUN = RunRecord("r1", ALICE, "/chat", "x", None, 1000.5, 2000.0, 0)
START = Start(run_id="r1", thread_id=None, runnable="chat", attempt=1)
COMPLETE = Complete(content="", usage=Usage(1, 2, 3), duration_ms=1)
END = End(status="completed")


def records(*events: Event, attempt: int = 1) -> list[Record]:
    return [record(Cursor(attempt, number), event) for number, event in enumerate(events, 1)]


def sent(log: list[Record]) -> list[Any]:
    """Return the data of the frames."""
    chunks = ChatChunks(RUN, "chat", include_usage=False)
    frames = b"".join(map(chunks.frames, log)).decode().split("\n\n")[:-1]
    return [frame.removeprefix("data: ") for frame in frames]


def text_of(frames: list[str]) -> str:
    deltas = [json.loads(frame)["choices"][0]["delta"] for frame in frames if frame.startswith('{"id"')]
    return "".join(delta.get("content") or "" for delta in deltas)


def restarted(*before: str, after: tuple[str, ...]) -> list[Record]:
    again = Restart(content="again", attempt=2)
    return [
        *records(START, *map(Token, before)),
        *records(again, START, *map(Token, after), COMPLETE, END, attempt=2),
    ]


@pytest.mark.requirement("openai.chat.restart")
@pytest.mark.parametrize(
    ("before", "after"), [(("one", " two"), ("one t", "wo", " three")), ((), ("one two three",))]
)
def test_a_restart_that_says_the_same_goes_on(before: tuple[str, ...], after: tuple[str, ...]) -> None:
    frames = sent(restarted(*before, after=after))
    assert text_of(frames) == "one two three"
    assert frames[-1] == "[DONE]"
    assert frames[0].count('"role"') == sum(frame.count('"role"') for frame in frames) == 1


@pytest.mark.requirement("openai.chat.reasoning")
def test_what_the_model_thinks_is_told_beside_the_text() -> None:
    thought = [Reasoning(content="Hm"), Reasoning(content=", one")]
    again = Restart(content="again", attempt=2)
    log = records(START, *thought, Token("one"))
    frames = sent([*log, *records(again, *thought, Token("one two"), COMPLETE, END, attempt=2)])
    deltas = [json.loads(frame)["choices"][0]["delta"] for frame in frames[:-1]]
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == "Hm, one"
    assert text_of(frames) == "one two"


@pytest.mark.requirement("openai.chat.restart")
def test_what_no_record_is_left_of_begins_with_the_next_attempt() -> None:
    again = Restart(content="again", attempt=2)
    frames = sent(records(again, Token("one"), COMPLETE, END, attempt=2))
    assert '"role"' in frames[0]
    assert text_of(frames) == "one"


@pytest.mark.requirement("openai.chat.restart")
@pytest.mark.parametrize("after", [("one", " three"), ("one",), ()])
def test_a_restart_that_says_something_else_is_an_error(after: tuple[str, ...]) -> None:
    frames = sent(restarted("one", " two", after=after))
    assert json.loads(frames[-1])["error"]["code"] == "run_restarted"
    assert text_of(frames[:-1]) == "one two"


@pytest.mark.requirement("openai.chat.restart")
def test_a_gap_goes_on_with_the_text_that_it_brings() -> None:
    gap = Gap(requested="1-2", oldest="1-9", text="one two")
    frames = sent([*records(START, Token("one")), record(Cursor(1, 8), gap), *records(Token(" three"), END)])
    assert text_of(frames) == "one two three"


def test_a_run_that_was_stopped_ends_with_stop() -> None:
    *_, end, done = sent(records(START, Token("one"), End(status="cancelled")))
    assert json.loads(end)["choices"][0]["finish_reason"] == "stop"
    assert done == "[DONE]"


@pytest.mark.requirement("openai.errors")
def test_after_an_error_nothing_is_said_to_be_done() -> None:
    problem = RunFailed().problem("urn:gatehouse:run:r1")
    failed = Error(content="The run failed.", problem=problem)
    frames = sent(records(START, failed, End(status="failed")))
    assert json.loads(frames[-1])["error"]["code"] == "run_failed"


@pytest.mark.requirement("openai.errors")
def test_a_stream_that_is_cut_says_so_first() -> None:
    chunks = ChatChunks(RUN, "chat", include_usage=False)
    assert json.loads(chunks.cut(Restarting()).removeprefix(b"data: "))["error"]["code"] == "restarting"


def test_every_replica_makes_the_same_of_the_same_records() -> None:
    log = records(START, Token("one"), COMPLETE, END)
    assert sent(log) == sent(log)
