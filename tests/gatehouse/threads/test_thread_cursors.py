import base64
from datetime import UTC, datetime

import pytest

from gatehouse.problems.errors import BadRequest
from gatehouse.threads.cursors import (
    message_cursor,
    read_message_cursor,
    read_thread_cursor,
    thread_cursor,
)

THREAD_ID = "0198c0de-0000-7000-8000-000000000001"
MOMENT = datetime(2026, 11, 21, 9, 30, 0, 123456, tzinfo=UTC)


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


class TestCursors:
    def test_of_a_thread_names_it_to_the_microsecond(self) -> None:
        assert read_thread_cursor(thread_cursor(MOMENT, THREAD_ID)) == (MOMENT, THREAD_ID)

    @pytest.mark.parametrize("position", [0, 1, 999_999_999])
    def test_of_a_message_names_its_position(self, position: int) -> None:
        assert read_message_cursor(message_cursor(position)) == position

    def test_can_stand_in_a_query_as_they_are(self) -> None:
        assert thread_cursor(MOMENT, THREAD_ID).replace("-", "").replace("_", "").isalnum()

    @pytest.mark.parametrize(
        "cursor",
        [
            "", "=", "a", "%00", "\0", "é", "nonsense", "🏦", "x" * 10_000,
            encoded("m5"), encoded("t"), encoded(f"t-1-{THREAD_ID}"), encoded(f"t{10**17}-{THREAD_ID}"),
            encoded(f"t1-{THREAD_ID}\n"), encoded(f"t1-{'x' * 36}"), encoded(f"t٣-{THREAD_ID}"),
            base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        ],
    )  # fmt: skip
    def test_of_a_thread_that_are_malformed_are_refused(self, cursor: str) -> None:
        with pytest.raises(BadRequest, match="no cursor of this list"):
            read_thread_cursor(cursor)

    @pytest.mark.parametrize(
        "cursor", ["", encoded("m"), encoded("m-1"), encoded("m1000000000"), encoded(f"t1-{THREAD_ID}")]
    )
    def test_of_a_message_that_are_malformed_are_refused(self, cursor: str) -> None:
        with pytest.raises(BadRequest, match="no cursor of this list"):
            read_message_cursor(cursor)
