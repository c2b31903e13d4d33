import pytest

from gatehouse.threads.titles import title_of


class TestTitleOf:
    def test_is_the_first_line_that_says_something(self) -> None:
        assert title_of(" \n\n  What is a bond?\nI have heard of it.") == "What is a bond?"

    def test_has_single_spaces(self) -> None:
        assert title_of("What\t is   a\u00a0bond?") == "What is a bond?"

    @pytest.mark.parametrize("text", ["", " ", "\n\t\r\n"])
    def test_of_nothing_is_empty(self, text: str) -> None:
        assert title_of(text) == ""

    def test_of_eighty_characters_is_whole(self) -> None:
        assert title_of("word " * 15 + "fiver") == "word " * 15 + "fiver"

    def test_of_more_ends_with_a_word_and_an_ellipsis(self) -> None:
        assert title_of("word " * 15 + "longer") == "word " * 14 + "word…"

    def test_keeps_a_word_that_just_fits(self) -> None:
        text = "x" * 39 + " " + "y" * 39 + " z"
        assert title_of(text) == "x" * 39 + " " + "y" * 39 + "…"

    @pytest.mark.parametrize("text", ["債" * 200, "See " + "x" * 200])
    def test_is_cut_inside_a_word_where_words_are_too_long(self, text: str) -> None:
        assert title_of(text) == text[:79] + "…"

    def test_keeps_other_scripts(self) -> None:
        assert title_of("¿Qué es un bono? 🏦 سند") == "¿Qué es un bono? 🏦 سند"
