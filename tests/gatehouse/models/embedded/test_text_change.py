"""Which end of a change a number or a parameter stands for."""

import pytest

from gatehouse.models.embedded.text.change import end_named, ends_of
from gatehouse.models.embedded.text.numbers import numbers_in


def ends(text: str) -> list[str | None]:
    return list(ends_of(numbers_in(text), text))


class TestNumbers:
    @pytest.mark.parametrize(
        "text",
        [
            "from 800 to 1000",
            "I put in 800 and got 1000 out",
            "Bought at 120, sold for 90",
            "800 invested, 1000 now",
            "The 800 I put in is 1000 now",
            "I paid $2,500 and it has become $3,100",
            "My stock rose from 40 to 52",
            "roi 250 -> 300",
        ],
    )
    def test_the_start_comes_first(self, text: str) -> None:
        assert ends(text) == ["start", "end"]

    @pytest.mark.parametrize(
        "text",
        [
            "worth 1000 now after investing 800",
            "I sold for 150 what I had bought for 120",
            "1000 from 800",
            "I got 1000 back from the 800 that I invested",
        ],
    )
    def test_the_end_comes_first(self, text: str) -> None:
        assert ends(text) == ["end", "start"]

    def test_one_number_may_be_told_and_the_other_not(self) -> None:
        assert ends("turned 5,000 into 7,500") == ["start", "end"]
        assert ends("the 600 of then, and 900 today") == [None, "end"]

    @pytest.mark.parametrize(
        "text",
        [
            "800, 1000",
            "the return on investment 800 and 1000",  # what is asked for, not what was invested
            "I want to get the return of 800 and 1000",
            "invested, in those days, about 800",  # a break stands between
        ],
    )
    def test_nothing_tells(self, text: str) -> None:
        assert set(ends(text)) == {None}

    def test_a_text_without_numbers(self) -> None:
        assert ends("from here to there") == []


class TestParameters:
    @pytest.mark.parametrize(
        "words", [["initial"], ["purchase", "price"], ["start"], ["amount", "invested"], ["from", "value"]]
    )
    def test_a_start(self, words: list[str]) -> None:
        assert end_named(words) == "start"

    @pytest.mark.parametrize("words", [["final"], ["sale", "price"], ["current", "value"], ["to"]])
    def test_an_end(self, words: list[str]) -> None:
        assert end_named(words) == "end"

    def test_neither(self) -> None:
        assert end_named(["minutes"]) is None
