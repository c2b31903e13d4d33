"""Text as lines of a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from gatehouse.cli.chat.lines import filled, fitting, harmless, shortened

TEXTS = st.text(st.sampled_from(list("ab  .債券のé🙂\u0301")), max_size=60)


class TestFilled:
    @pytest.mark.parametrize(
        ("text", "lines"),
        [
            ("", [""]),
            ("a bond is a loan", ["a bond is ", "a loan"]),
            ("債券とは契約", ["債券とは", "契約"]),
            ("a 債券とは", ["a 債券と", "は"]),
            ("incomprehensible", ["incompreh", "ensible"]),
            ("to incomprehensible", ["to ", "incompreh", "ensible"]),
            ("one four ", ["one four "]),
        ],
    )
    def test_breaks_between_words_and_wide_characters(self, text: str, lines: list[str]) -> None:
        assert list(filled(text, 9)) == lines

    @given(TEXTS, st.integers(4, 20))
    def test_keeps_every_character_within_the_width(self, text: str, width: int) -> None:
        lines = list(filled(text, width))
        assert "".join(lines) == text
        assert all(cell_len(line.rstrip()) <= width for line in lines)

    @given(TEXTS, TEXTS, st.integers(4, 20))
    def test_leaves_lines_before_the_last_as_they_are(self, text: str, more: str, width: int) -> None:
        *full, last = filled(text, width)
        assert [*full, *filled(last + more, width)] == list(filled(text + more, width))


class TestHarmless:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("\x1b[31mred", "␛[31mred"),
            ("\x07bell\x00", "␇bell␀"),
            ("\x9b2J\x7f", "\ufffd2J\ufffd"),
            ("half \ud83d", "half \ufffd"),
            ("one\r\ntwo\rthree\tfour", "one\ntwothree    four"),
            ("債券 🙂", "債券 🙂"),
        ],
    )
    def test_shows_what_a_terminal_would_obey(self, text: str, shown: str) -> None:
        assert harmless(text) == shown


def test_fitting_leaves_out_what_is_too_much() -> None:
    parts = ["answering 3 s", "20 tokens", "6.6 tokens/s"]
    assert fitting(parts, 80) == "answering 3 s · 20 tokens · 6.6 tokens/s"
    assert fitting(parts, 30) == "answering 3 s · 20 tokens"
    assert fitting(parts, 8) == "answeri…"


def test_shortened_cuts_by_cells() -> None:
    assert shortened("calculator: 4", 13) == "calculator: 4"
    assert shortened("債券とは契約", 6) == "債券…"
