"""A run's events as one message of the AI SDK: what is open is closed, and what is void is not left standing."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from gatehouse.identity.principal import Principal
from gatehouse.problems.draining import Restarting
from gatehouse.runs.events import (
    BEGINNING,
    Complete,
    Cursor,
    Custom,
    End,
    Error,
    Event,
    Gap,
    Reasoning,
    Record,
    Restart,
    Token,
    ToolEnd,
    ToolStart,
    Usage,
    record,
)
from gatehouse.runs.records import RunRecord
from gatehouse.wires.vercel.projection import BeganAgain, UIMessageStream

ALICE = Principal("acme", "alice", "Alice", frozenset(("*",)), "jwt", "key-1")
RUN = RunRecord("run-1", ALICE, "/chat", {}, "thread-1", 0.0, 300.0, 30.0)
END = End(status="completed")


def call(call_id: str = "c1") -> ToolStart:
    return ToolStart(content="Using", tool="weather", call_id=call_id, input={"city": "Paris"})


def returned(call_id: str = "c1", *, is_error: bool = False) -> ToolEnd:
    return ToolEnd(content="", tool="weather", call_id=call_id, output="sunny", is_error=is_error)


def complete(text: str = "Hi", **more: Any) -> Complete:
    return Complete(content=text, usage=Usage(1, 2, 3), duration_ms=5, **more)


def records(*events: Event) -> list[Record]:
    return [record(Cursor(1, number), event) for number, event in enumerate(events, 1)]


def sent(*events: Event, until: Cursor = BEGINNING) -> bytes:
    projection = UIMessageStream(RUN, until)
    return projection.opening() + b"".join(map(projection.frames, records(*events)))


def chunks(frames: bytes) -> list[dict[str, Any]]:
    return list(parsed(frames.decode().split("\n\n")))


def parsed(frames: Iterable[str]) -> Iterator[dict[str, Any]]:
    for frame in frames:
        if frame and frame != "data: [DONE]":
            assert frame.startswith("data: {"), frame
            assert "\r" not in frame
            yield json.loads(frame.removeprefix("data: "))


def types(*events: Event, until: Cursor = BEGINNING) -> list[str]:
    return [chunk["type"] for chunk in chunks(sent(*events, until=until))]


def text_of(frames: bytes) -> str:
    return "".join(chunk["delta"] for chunk in chunks(frames) if chunk["type"] == "text-delta")


class TestMessage:
    @pytest.mark.requirement("ui.message")
    def test_has_its_run_s_id_and_says_which_thread_it_is_in(self) -> None:
        start = chunks(sent())[0]
        assert start["messageId"] == "run-1"
        assert start["messageMetadata"] == {"runId": "run-1", "threadId": "thread-1"}

    @pytest.mark.parametrize(
        ("events", "between"),
        [
            ([Token("H"), Token("i"), complete()], ["text-start", "text-delta", "text-delta", "text-end"]),
            (
                [Reasoning("Hm"), Token("Hi"), complete()],
                ["reasoning-start", "reasoning-delta", "reasoning-end", "text-start", "text-delta", "text-end"],
            ),
            (
                [call(), returned(), Token("Hi"), complete()],
                [
                    *("tool-input-available", "tool-output-available", "finish-step", "start-step"),
                    *("text-start", "text-delta", "text-end"),
                ],
            ),
            ([call(), returned(is_error=True)], ["tool-input-available", "tool-output-error"]),
            ([returned("unseen")], ["tool-input-available", "tool-output-available"]),
            ([call("a"), call("b"), returned("a"), returned("b")], [
                "tool-input-available", "tool-input-available", "tool-output-available", "tool-output-available",
            ]),
            ([call()], ["tool-input-available", "tool-output-error"]),  # at the end no tool seems to go on
            ([Custom(data={"type": "chart", "id": "x"})], ["data-chart"]),
            ([Custom(data=1)], ["data-custom"]),
        ],
    )  # fmt: skip
    @pytest.mark.requirement("ui.frames")
    def test_is_told_in_the_protocol_s_order(self, events: list[Event], between: list[str]) -> None:
        *told, metadata, end, finish = types(*events, END)
        assert told == ["start", "start-step", *between]
        assert (metadata, end, finish) == ("message-metadata", "finish-step", "finish")

    @pytest.mark.requirement("ui.message")
    def test_ends_with_its_reason_usage_and_status(self) -> None:
        *_, metadata, _, finish = chunks(sent(Token("Hi"), complete(finish_reason="refusal"), END))
        assert finish["finishReason"] == "content-filter"
        assert metadata["messageMetadata"]["usage"]["total_tokens"] == 3
        assert metadata["messageMetadata"]["status"] == "completed"

    @pytest.mark.parametrize("reason", ["max_tool_calls", "cancelled", "gatehouse-x"])
    @pytest.mark.requirement("ui.finish")
    def test_has_no_finish_reason_that_the_sdk_does_not_know(self, reason: str) -> None:
        assert chunks(sent(complete(finish_reason=reason), END))[-1]["finishReason"] == "other"

    def test_of_a_failed_run_has_its_error(self) -> None:
        failed = chunks(sent(Error(content="The run failed.", problem={}), End(status="failed")))
        assert {"type": "error", "errorText": "The run failed."} in failed

    def test_of_a_run_that_was_stopped_ends_as_aborted(self) -> None:
        assert types(Token("H"), End(status="cancelled"))[-1] == "abort"

    @pytest.mark.requirement("ui.parts")
    def test_holds_files_sources_and_what_is_no_message(self) -> None:
        cited = {
            "type": "text",
            "text": "Hi",
            "annotations": [{"type": "citation", "url": "https://a.example"}],
        }
        image = {"type": "image", "base64": "AAAA", "mime_type": "image/png"}
        told = chunks(sent(complete(message={"content": [cited, image]}, value={"a": 1}), END))
        parts = {chunk["type"]: chunk for chunk in told}
        assert parts["source-url"]["url"] == "https://a.example"
        assert parts["file"] == {
            "type": "file",
            "url": "data:image/png;base64,AAAA",
            "mediaType": "image/png",
        }
        assert parts["data-value"]["data"] == {"a": 1}

    def test_is_the_same_bytes_again(self) -> None:
        events = (call(), returned(), Token("Hi"), complete(), END)
        assert sent(*events) == sent(*events)


AGAIN = Restart(content="gone", attempt=2)


class TestAnAnswerThatBeginsAgain:
    def test_goes_on_where_it_says_the_same(self) -> None:
        again = (AGAIN, Token("Bonds are"), Token(" loans"), complete("Bonds are loans"), END)
        assert text_of(sent(Token("Bonds"), *again)) == "Bonds are loans"

    @pytest.mark.requirement("ui.tools")
    def test_shows_a_tool_once_that_it_calls_again_under_its_id(self) -> None:
        assert types(call(), AGAIN, call(), returned(), END).count("tool-input-available") == 1

    @pytest.mark.parametrize(
        "again",
        [
            [Token("Stocks")],
            [Token("Bo"), Token("x")],
            [complete("")],
            [call("another")],
            [Token("Bo"), complete("Bo")],
        ],
    )
    @pytest.mark.requirement("ui.restart")
    def test_is_cut_where_it_says_something_else(self, again: list[Event]) -> None:
        with pytest.raises(BeganAgain):
            sent(Token("Bonds"), AGAIN, *again)

    def test_is_cut_where_another_call_takes_the_place_of_one_that_did_not_return(self) -> None:
        with pytest.raises(BeganAgain):
            sent(call("first"), AGAIN, call("second"))

    @pytest.mark.requirement("ui.restart")
    def test_is_told_to_who_comes_back_as_what_stands(self) -> None:
        events = (Token("Bonds"), call("lost"), AGAIN, call("c1"), returned("c1"), Token("Stocks"))
        resumed = sent(*events, Token(" rise"), complete("Stocks rise"), END, until=Cursor(1, 6))
        assert text_of(resumed) == "Stocks rise"
        assert {chunk["toolCallId"] for chunk in chunks(resumed) if "toolCallId" in chunk} == {"c1"}

    @pytest.mark.requirement("ui.gap")
    def test_with_a_gap_shows_the_whole_text(self) -> None:
        gap = Gap(requested="1-1", oldest="1-9", text="Bonds are")
        assert text_of(sent(Token("Bonds"), gap, Token(" loans"))) == "Bonds are loans"
        assert text_of(sent(gap, Token(" loans"), until=Cursor(1, 2))) == "Bonds are loans"


def test_a_stream_that_is_cut_says_so() -> None:
    (error,) = chunks(UIMessageStream(RUN).cut(Restarting()))
    assert error == {"type": "error", "errorText": Restarting().detail}
