"""Which tool steps of earlier attempts belong to the answer."""

from gatehouse.runs.conversation.steps import still_true
from gatehouse.runs.events import Event, Token, ToolEnd, ToolStart


def begun(call_id: str) -> ToolStart:
    return ToolStart(content="", tool="look_up", call_id=call_id, input={})


def done(call_id: str) -> ToolEnd:
    return ToolEnd(content="", tool="look_up", call_id=call_id, output="4", is_error=False)


class TestEarlierSteps:
    def test_of_a_call_that_was_finished_are_kept(self) -> None:
        assert still_true([begun("a"), done("a")], [Token("x")]) == [begun("a"), done("a")]

    def test_of_a_call_that_is_finished_now_are_kept(self) -> None:
        assert still_true([begun("a")], [done("a")]) == [begun("a")]

    def test_of_a_call_that_is_begun_anew_are_left_out(self) -> None:
        own: list[Event] = [begun("a"), done("a")]
        assert still_true([begun("a"), done("a")], own) == []

    def test_of_a_call_that_never_ended_are_left_out(self) -> None:
        assert still_true([begun("a"), begun("b"), done("b")], []) == [begun("b"), done("b")]
