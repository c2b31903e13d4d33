"""Cursors, and events as they go over the wire."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatehouse.problems.errors import BadRequest
from gatehouse.runs.events import (
    BEGINNING,
    Cursor,
    End,
    Gap,
    Start,
    Token,
    ToolEnd,
    Usage,
    parse_cursor,
    record,
)

cursors = st.builds(Cursor, st.integers(0, 999_999_999), st.integers(0, 10**15 - 1))


class TestParseCursor:
    @given(cursors)
    def test_reads_what_a_cursor_writes(self, cursor: Cursor) -> None:
        assert parse_cursor(str(cursor)) == cursor

    @pytest.mark.parametrize("text", [None, "", "-1"])
    def test_takes_none_and_minus_one_for_the_beginning(self, text: str | None) -> None:
        assert parse_cursor(text) == BEGINNING

    @pytest.mark.parametrize(
        "text",
        [
            "1", "1-", "-2", "1-2-3", "1--2", "a-b", "1-2 ", " 1-2", "1-2\n", "0x1-2", "1.0-2", "+1-2", "*", "$",
            "1-*", "٣-٤", "1-" + "9" * 16, "9" * 10 + "-1", "1_0-2", "\x001-2",
        ],
    )  # fmt: skip
    def test_refuses_anything_else(self, text: str) -> None:
        with pytest.raises(BadRequest) as refused:
            parse_cursor(text)
        assert refused.value.detail == "A last event id looks like 1-42; send -1 to read from the start."


class TestCursor:
    @given(cursors, cursors)
    def test_orders_by_attempt_and_then_by_sequence(self, one: Cursor, other: Cursor) -> None:
        assert (one < other) == ((one.attempt, one.sequence) < (other.attempt, other.sequence))

    @pytest.mark.parametrize(
        ("later", "earlier", "follows"),
        [
            (Cursor(1, 1), BEGINNING, True),
            (Cursor(1, 8), Cursor(1, 7), True),
            (Cursor(2, 1), Cursor(1, 7), True),
            (Cursor(3, 1), Cursor(1, 7), True),
            (Cursor(2, 1), BEGINNING, True),
            (Cursor(1, 9), Cursor(1, 7), False),
            (Cursor(1, 7), Cursor(1, 7), False),
            (Cursor(1, 6), Cursor(1, 7), False),
            (Cursor(2, 2), Cursor(1, 7), False),
            (Cursor(1, 1), Cursor(2, 7), False),
        ],
    )
    def test_follows_when_nothing_can_lie_between(
        self, later: Cursor, earlier: Cursor, follows: bool
    ) -> None:
        assert later.follows(earlier) is follows


class TestRecord:
    @pytest.mark.parametrize(
        ("event", "expected"),
        [
            (Token('"quoted"\n'), {"type": "token", "content": '"quoted"\n'}),
            (End(status="failed"), {"type": "end", "content": "", "status": "failed"}),
            (
                Start(run_id="r", thread_id=None, runnable="chat", attempt=1),
                {"type": "start", "content": "", "run_id": "r", "thread_id": None, "runnable": "chat", "attempt": 1},
            ),
            (
                ToolEnd(content="Tool result: 4", tool="add", call_id="c", output="4", is_error=False),
                {"type": "tool_end", "content": "Tool result: 4", "tool": "add", "call_id": "c", "output": "4",
                 "is_error": False},
            ),
            (
                Gap(requested="1-2", oldest="1-9", text="so far"),
                {"type": "gap", "content": "Events before this one are no longer kept.", "requested": "1-2",
                 "oldest": "1-9", "text": "so far"},
            ),
        ],
    )  # fmt: skip
    def test_is_the_json_object_of_the_event(self, event: Token, expected: dict[str, object]) -> None:
        item = record(Cursor(1, 2), event)
        assert orjson.loads(item.data) == expected
        assert (item.cursor, item.type) == (Cursor(1, 2), expected["type"])

    @given(st.text())
    def test_is_one_line(self, text: str) -> None:
        """The log keeps a record a line."""
        assert b"\n" not in record(Cursor(1, 1), Token(text)).data

    def test_of_usage_is_numbers(self) -> None:
        assert orjson.loads(orjson.dumps(Usage(1, 2, 3))) == {
            "input_tokens": 1, "output_tokens": 2, "total_tokens": 3
        }  # fmt: skip
