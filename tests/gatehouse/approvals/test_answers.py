"""Decisions as graphs take them: whole, and in the order in which they were asked for."""

from collections import namedtuple
from typing import Any

from gatehouse.approvals.answers import answers_of

Row = namedtuple("Row", "interrupt_id position form tool decision id digest")  # of the table, what is read


def asked(interrupt: str, position: int, decision: dict[str, Any] | None, form: str = "batched") -> Any:
    return Row(interrupt, position, form, f"tool {position}", decision, f"{interrupt}-{position}", "d")


APPROVED, REJECTED = {"decision": "approve"}, {"decision": "reject", "message": "No."}


class TestAnswers:
    def test_come_in_the_order_of_the_questions(self) -> None:
        rows = [asked("i1", 1, REJECTED), asked("i1", 0, APPROVED)]
        told = [{"type": "approve"}, {"type": "reject", "message": "No."}]
        assert answers_of(rows) == {"i1": {"decisions": told}}

    def test_are_of_what_is_decided_as_a_whole(self) -> None:
        rows = [asked("i1", 0, APPROVED), asked("i1", 1, None), asked("i2", 0, APPROVED, "per_call")]
        assert answers_of(rows) == {"i2": {"type": "approve"}}
