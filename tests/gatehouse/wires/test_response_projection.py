"""What a viewer of a response is sent of records that a healthy server seldom makes."""

import json
from typing import Any

import pytest

from gatehouse.identity.principal import Principal
from gatehouse.problems.draining import Restarting
from gatehouse.runs.events import (
    ApprovalAsked,
    Complete,
    Cursor,
    Decided,
    End,
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
from gatehouse.wires.openai.responses.projection import TAKEOVER, ResponseEvents

ALICE = Principal("acme", "alice", "Alice", frozenset({"*"}), "jwt", "1")
ASKED = {"response": {"echoed": {}, "input": [], "background": False, "model": "agent"}}
RUN = RunRecord("r1", ALICE, "/agent", "x", "t1", 1000.5, 2000.0, 0, client=ASKED)
START = Start(run_id="r1", thread_id="t1", runnable="agent", attempt=1)
COMPLETE = Complete(content="Hello", usage=Usage(1, 2, 3), duration_ms=1500)
CALL = ToolStart(content="", tool="look", call_id="c1", input={"a": 1})
RETURN = ToolEnd(content="", tool="look", call_id="c1", output="seen", is_error=False)
END = End(status="completed")
RESTART = Restart(content="again", attempt=2)


def records(*events: Event, attempt: int = 1) -> list[Record]:
    return [record(Cursor(attempt, number), event) for number, event in enumerate(events, 1)]


def sent(log: list[Record], after: int = -1, part: int = 0) -> list[Any]:
    """Return what the events say."""
    events = ResponseEvents(RUN, part, after)
    frames = b"".join(map(events.frames, log)).decode().split("\n\n")[:-1]
    datas = [frame.split("data: ", 1)[1] for frame in frames]
    return [json.loads(data) for data in datas if data != "[DONE]"]


TAKEN_OVER = [
    *records(START, Token("Hel"), CALL),
    *records(RESTART, START, Token("Hello"), COMPLETE, END, attempt=2),
]


@pytest.mark.requirement("openai.responses.restart")
def test_after_a_takeover_the_response_has_the_new_items_alone() -> None:
    events = sent(TAKEN_OVER)
    final = events[-1]["response"]
    assert [item["content"][0]["text"] for item in final["output"]] == ["Hello"]
    assert final["completed_at"] == 1002
    incomplete = [event for event in events if event.get("item", {}).get("status") == "incomplete"]
    assert [event["item"]["type"] for event in incomplete] == ["mcp_call"]
    added = [event["output_index"] for event in events if event["type"] == "response.output_item.added"]
    assert added == [0, 1, 2]


@pytest.mark.requirement("openai.responses.restart")
def test_words_that_are_taken_back_leave_the_calls_that_were_made() -> None:
    back = Restart(content="not the answer", attempt=1)
    log = records(START, CALL, RETURN, Token("Hm"), back, Token("Hello"), COMPLETE, END)
    output = sent(log)[-1]["response"]["output"]
    assert [item["type"] for item in output] == ["mcp_call", "message"]
    assert output[1]["content"][0]["text"] == "Hello"


@pytest.mark.requirement("openai.responses.reasoning")
def test_what_the_model_thinks_is_an_item_before_the_message() -> None:
    whole = sent(
        records(START, Reasoning(content="Hm"), Reasoning(content=", one"), Token("One"), COMPLETE, END)
    )
    kinds = [event["type"].removeprefix("response.") for event in whole[2:9]]
    assert kinds == [
        "output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta",
        "reasoning_summary_text.delta", "reasoning_summary_text.done", "reasoning_summary_part.done",
        "output_item.done",
    ]  # fmt: skip
    thought, message = whole[-1]["response"]["output"]
    assert (thought["type"], thought["status"]) == ("reasoning", "completed")
    assert thought["summary"] == [{"type": "summary_text", "text": "Hm, one"}]
    assert message["content"][0]["text"] == "One"


@pytest.mark.requirement("openai.responses.restart")
def test_reasoning_that_is_cut_by_a_takeover_ends_as_incomplete() -> None:
    again = records(RESTART, Reasoning(content="So"), Token("One"), COMPLETE, END, attempt=2)
    whole = sent([*records(START, Reasoning(content="Hm")), *again])
    [lost] = [event["item"] for event in whole if event.get("item", {}).get("status") == "incomplete"]
    assert (lost["type"], lost["summary"][0]["text"]) == ("reasoning", "Hm")
    assert [item["type"] for item in whole[-1]["response"]["output"]] == ["reasoning", "message"]


@pytest.mark.requirement("openai.responses.starting-after")
@pytest.mark.parametrize("seen", range(18))
def test_every_replica_gives_an_event_the_same_number(seen: int) -> None:
    whole = sent(TAKEN_OVER)
    after = whole[seen - 1]["sequence_number"] if seen else -1
    assert sent(TAKEN_OVER, after) == whole[seen:]


@pytest.mark.requirement("openai.responses.events")
def test_after_a_takeover_numbers_are_those_that_no_client_can_have_seen() -> None:
    numbers = [event["sequence_number"] for event in sent(TAKEN_OVER)]
    lost = numbers.index(TAKEOVER)
    assert numbers[:lost] == [*range(lost)]
    assert numbers[lost:] == [*range(TAKEOVER, TAKEOVER + len(numbers) - lost)]


@pytest.mark.requirement("openai.responses.restart")
def test_what_no_record_is_left_of_begins_with_the_next_attempt() -> None:
    whole = sent(records(RESTART, Token("Hello"), COMPLETE, END, attempt=2))
    assert [event["type"] for event in whole[:2]] == ["response.created", "response.in_progress"]
    assert [event["sequence_number"] for event in whole] == [*range(TAKEOVER, TAKEOVER + len(whole))]


WAITING = End(status="waiting")
ASKED_FOR = ApprovalAsked(
    content="It wants to look.", approval={"id": "a1", "kind": "tool", "tool": "look", "args": {"a": 1}}
)
DECIDED = Decided(content="", approval_id="a1", decision="approve", decided_by="Alice")
GONE_ON = records(DECIDED, START, Token("Hello"), COMPLETE, END, attempt=2)


@pytest.mark.requirement("openai.responses.approvals")
@pytest.mark.parametrize("shown", [[WAITING], []], ids=["with the end of the wait", "after it has gone on"])
def test_a_run_that_waits_is_one_response_up_to_there_and_another_from_there_on(shown: list[Event]) -> None:
    log = [*records(START, Token("Hm."), ASKED_FOR, *shown), *GONE_ON]
    first, then = sent(log)[-1], sent(log, part=1)[-1]
    assert (first["type"], then["type"]) == ("response.completed", "response.completed")
    assert [item["type"] for item in first["response"]["output"]] == ["message", "mcp_approval_request"]
    assert [item["content"][0]["text"] for item in then["response"]["output"]] == ["Hello"]
    assert (first["response"]["id"], then["response"]["id"]) == ("resp_r1", "resp_r1_1")
    assert sent(log) == sent(records(START, Token("Hm."), ASKED_FOR, WAITING))


@pytest.mark.requirement("openai.responses.gap")
def test_a_gap_is_told_as_an_error_and_a_failed_response() -> None:
    gap = Gap(requested="0-0", oldest="1-9", text="Hel")
    error, failed = sent([record(Cursor(1, 8), gap), *records(Token("lo"), COMPLETE, END)])
    assert (error["type"], error["code"]) == ("error", "events_lost")
    assert failed["type"] == "response.failed"


@pytest.mark.parametrize(("word", "reason"), [("length", "max_output_tokens"), ("refusal", "content_filter")])
@pytest.mark.requirement("openai.responses.answer")
def test_an_answer_that_was_cut_is_incomplete(word: str, reason: str) -> None:
    cut = Complete(content="Hel", usage=Usage(1, 2, 3), duration_ms=1, finish_reason=word)
    last = sent(records(START, Token("Hel"), cut, END))[-1]
    assert (last["type"], last["response"]["status"]) == ("response.incomplete", "incomplete")
    assert last["response"]["incomplete_details"] == {"reason": reason}


@pytest.mark.requirement("openai.errors")
def test_a_stream_that_is_cut_says_so_and_does_not_call_the_response_failed() -> None:
    events = ResponseEvents(RUN)
    for item in records(START, Token("Hel")):
        events.frames(item)
    assert b'"code":"restarting"' in events.cut(Restarting())
    assert events.response()["status"] == "in_progress"


@pytest.mark.requirement("openai.responses.starting-after")
@pytest.mark.parametrize("after", [-1, 3])
def test_who_goes_on_after_the_error_of_a_cut_misses_nothing(after: int) -> None:
    log = records(START, Token("Hel"), Token("lo"), COMPLETE, END)
    whole = sent(log)
    for seen in range(len(log)):
        events = ResponseEvents(RUN, 0, after)
        before = b"".join(map(events.frames, log[:seen])).count(b"data: ")
        error = json.loads(events.cut(Restarting()).split(b"data: ")[1]) if not events.over else whole[-1]
        assert sent(log, error["sequence_number"]) == whole[after + 1 + before :]
