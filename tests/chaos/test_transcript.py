"""The chaos test's own judge: it must see every kind of breach."""

from typing import Any

import pytest

from tests.chaos.transcript import Transcript

Told = tuple[str, str, dict[str, Any]]


def start(event_id: str = "1-1") -> Told:
    return event_id, "start", {"type": "start", "content": ""}


def token(event_id: str, number: int) -> Told:
    return event_id, "token", {"type": "token", "content": f"t{number} "}


def again(event_id: str) -> Told:
    return event_id, "restart", {"type": "restart", "content": "The process is gone."}


def gap(event_id: str, text: str) -> Told:
    return event_id, "gap", {"type": "gap", "content": "", "text": text}


def complete(event_id: str, text: str) -> Told:
    return event_id, "complete", {"type": "complete", "content": text}


def end(event_id: str, status: str = "completed") -> Told:
    return event_id, "end", {"type": "end", "content": "", "status": status}


def transcript(*told: Told, expected: int = 2) -> Transcript:
    found = Transcript(expected)
    for event in told:
        found.take(*event)
    found.finish()
    return found


class TestWhatIsRight:
    def test_an_undisturbed_run(self) -> None:
        found = transcript(start(), token("1-2", 1), token("1-3", 2), complete("1-4", "t1 t2 "), end("1-5"))
        assert (found.faults, found.lost, found.text, found.status) == ([], 0, "t1 t2 ", "completed")

    def test_a_restart_voids_what_came_before(self) -> None:
        found = transcript(
            *(start(), token("1-2", 1), again("2-1"), token("2-2", 1), token("2-3", 2)),
            *(complete("2-4", "t1 t2 "), end("2-5")),
        )
        assert (found.faults, found.lost, found.repeated, found.restarts) == ([], 0, 0, 1)

    def test_a_gap_replaces_what_came_before(self) -> None:
        found = transcript(
            *(start(), token("1-2", 1), gap("1-4", "t1 t2 t3 "), token("1-5", 4)),
            *(complete("1-6", "t1 t2 t3 t4 "), end("1-7")),
            expected=4,
        )
        assert (found.faults, found.lost, found.repeated, found.gaps) == ([], 0, 0, 1)


class TestWhatIsWrong:
    def test_a_lost_token(self) -> None:
        found = transcript(start(), token("1-2", 2), complete("1-3", "t2 "), end("1-4"))
        assert found.lost == 1

    def test_a_lost_last_token(self) -> None:
        found = transcript(start(), token("1-2", 1), complete("1-3", "t1 "), end("1-4"))
        assert found.lost == 1

    def test_a_repeated_token(self) -> None:
        assert transcript(start(), token("1-2", 1), token("1-3", 1)).repeated == 1

    def test_tokens_in_another_order(self) -> None:
        found = transcript(start(), token("1-2", 2), token("1-3", 1))
        assert (found.lost, found.reordered) == (0, 1)

    def test_a_restart_that_is_not_told(self) -> None:
        found = transcript(start(), token("1-2", 1), token("2-1", 1))
        assert found.faults[0] == "token 2-1 came after 1-2"

    @pytest.mark.parametrize("event_id", ["1-2", "1-4", "1-1", "0-1"])
    def test_an_id_that_does_not_follow(self, event_id: str) -> None:
        found = transcript(start(), token("1-2", 1), token(event_id, 2))
        assert found.faults[0] == f"token {event_id} came after 1-2"

    def test_a_gap_that_goes_back(self) -> None:
        found = transcript(start(), token("1-2", 1), token("1-3", 2), gap("1-2", "t1 "))
        assert found.faults[0] == "gap 1-2 came after 1-3"

    def test_an_answer_that_is_not_the_text(self) -> None:
        found = transcript(start(), token("1-2", 1), token("1-3", 2), complete("1-4", "t1 "), end("1-5"))
        assert found.faults == ["the complete event is not the text that was put together"]

    def test_two_ends(self) -> None:
        found = transcript(start(), end("1-2", "cancelled"), end("1-3", "cancelled"))
        assert found.faults == ["1-3: end after the end", "2 end events"]

    def test_no_end(self) -> None:
        assert transcript(start()).faults == ["0 end events"]

    def test_a_body_of_another_type(self) -> None:
        found = transcript(("1-1", "start", {"type": "token", "content": ""}), end("1-2", "cancelled"))
        assert found.faults == ["1-1: event start has a body of type token"]
