"""What is read from a message: numbers, durations, arithmetic, names, and its language."""

import pytest

from gatehouse.models.embedded.text.arithmetic import arithmetic_in
from gatehouse.models.embedded.text.durations import durations_in
from gatehouse.models.embedded.text.language import is_english
from gatehouse.models.embedded.text.names import names_in
from gatehouse.models.embedded.text.numbers import digits_for_words, numbers_in


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1,200.50 or $2.5k", [1200.5, 2500]),
        ("3 million, 10 bn", [3_000_000, 10_000_000_000]),
        ("twenty-five of thirty seven thousand", [25, 37_000]),
        ("one of these, v2 and 6m", [6]),
    ],
)
def test_numbers(text: str, numbers: list[float]) -> None:
    assert [span.value for span in numbers_in(digits_for_words(text))] == numbers


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("the last six months", [180]),
        ("half a year", [180]),
        ("2y", [720]),
        ("this week or 1 quarter", [7, 90]),
        ("red", []),
    ],
)
def test_durations(text: str, days: list[int]) -> None:
    assert durations_in(text) == days


@pytest.mark.parametrize(
    ("text", "expressions"),
    [
        ("What is (2+3)*4?", ["(2 + 3) * 4"]),
        ("the square root of 81, please", ["sqrt(81)"]),
        ("15% of $1,240", ["15 / 100 * 1240"]),
        ("seven times eight", ["7 * 8"]),
        ("the sum of 19, 23 and 58", ["19 + 23 + 58"]),
        ("subtract 40 from 100", ["100 - 40"]),
        ("2 to the power of 8", ["2 ** 8"]),
        ("on 2026-11-29 I had 500", []),
    ],
)
def test_arithmetic(text: str, expressions: list[str]) -> None:
    assert arithmetic_in(text) == expressions


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Compare Apple Inc and 'blue chip' with MSFT", ["Apple Inc", "blue chip", "MSFT"]),
        ("Tesla or Nvidia? Tesla!", ["Tesla", "Nvidia"]),
        ("How is the weather on Monday in New York?", ["New York"]),
        ("the ROI of it", []),
    ],
)
def test_names(text: str, names: list[str]) -> None:
    assert [span.value for span in names_in(text, {"roi", "compare"})] == names


@pytest.mark.parametrize(
    "text",
    [
        "Hello!",
        "ok",
        "AAPL vs MSFT",
        "Compare Nestlé and Roche",
        "What does 'Wie geht es dir' mean?",
        "2+2",
        "",
    ],
)
def test_english(text: str) -> None:
    assert is_english(text)


@pytest.mark.parametrize(
    "text",
    [
        "Wie geht es meinem Portfolio?",
        "Bonjour !",
        "¿Cómo está mi cartera?",
        "Quanto vale il mio portafoglio?",
        "Hoeveel is mijn portefeuille waard?",
        "Hej, hur mår du?",
        "Привет, как дела?",
        "你好",
        "مرحبا",
    ],
)
def test_another_language(text: str) -> None:
    assert not is_english(text)
