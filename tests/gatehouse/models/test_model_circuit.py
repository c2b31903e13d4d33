"""Whose failures open a model's circuit, and for whom."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from gatehouse.models.asking import ASKER, asked_for
from gatehouse.models.errors import Blame
from gatehouse.models.guarded.circuit import ModelCircuit


class Moments:
    """A circuit with a clock that stands still until it is told."""

    def __init__(self, failures: int = 4) -> None:
        self.now = 0.0
        self.said: list[bool] = []
        self.circuit = ModelCircuit(failures, 10.0, changed=self.said.append, clock=lambda: self.now)

    def fail(self, who: str, blame: Blame, times: int = 1) -> None:
        with asking(who):
            for _ in range(times):
                self.circuit.failed(blame)

    def lets(self, who: str) -> bool:
        with asking(who):
            return self.circuit.enter()

    def seconds(self, who: str) -> float:
        with asking(who):
            return self.circuit.seconds_to_wait()


@contextmanager
def asking(who: str) -> Iterator[None]:
    before = ASKER.set("")
    try:
        if who:
            asked_for("acme", who)
        yield
    finally:
        ASKER.reset(before)


@pytest.fixture
def moments() -> Moments:
    return Moments()


def test_what_one_callers_input_may_have_caused_opens_nothing(moments: Moments) -> None:
    moments.fail("alice", "input", 50)
    assert moments.lets("alice")
    assert moments.lets("bob")
    assert moments.said == []


def test_what_two_callers_meet_is_an_outage(moments: Moments) -> None:
    moments.fail("alice", "input", 3)
    assert moments.lets("bob")
    moments.fail("bob", "input")
    assert not moments.lets("alice")
    assert not moments.lets("carol")
    assert moments.said == [True]


def test_an_answer_in_between_says_that_there_is_no_outage(moments: Moments) -> None:
    moments.fail("alice", "input", 3)
    with asking("bob"):
        moments.circuit.succeeded()
    moments.fail("bob", "input")
    assert moments.lets("carol")


def test_what_was_long_ago_does_not_count(moments: Moments) -> None:
    moments.fail("alice", "input", 3)
    moments.now = 61.0
    moments.fail("bob", "input")
    assert moments.lets("carol")


@pytest.mark.parametrize("who", ["alice", ""])
def test_what_no_input_can_cause_counts_whoever_asked(moments: Moments, who: str) -> None:
    moments.fail(who, "provider", 4)
    assert not moments.lets("bob")


def test_a_call_for_nobody_in_particular_counts(moments: Moments) -> None:
    moments.fail("", "input", 4)
    assert not moments.lets("bob")


class TestNotAvailable:
    def test_leaves_the_model_alone_for_who_was_told_so(self, moments: Moments) -> None:
        moments.fail("alice", "unavailable", 4)
        assert not moments.lets("alice")
        assert moments.seconds("alice") == 10.0
        assert moments.lets("bob")
        assert moments.seconds("bob") == 0.0
        assert moments.said == []

    def test_is_over_when_one_call_has_succeeded(self, moments: Moments) -> None:
        moments.fail("alice", "unavailable", 4)
        moments.now = 11.0
        assert [moments.lets("alice") for _ in range(2)] == [True, False]
        with asking("alice"):
            moments.circuit.succeeded()
        assert [moments.lets("alice") for _ in range(2)] == [True, True]

    def test_is_kept_of_so_many_callers_and_no_more(self, moments: Moments, monkeypatch: Any) -> None:
        monkeypatch.setattr("gatehouse.models.guarded.circuit.MOST_CALLERS", 2)
        moments = Moments(failures=1)
        moments.circuit.window = -1.0  # no two of them are at the same time
        for who in ("a", "b", "c"):
            moments.fail(who, "unavailable")
        assert [moments.lets(who) for who in ("a", "b", "c")] == [True, False, False]
