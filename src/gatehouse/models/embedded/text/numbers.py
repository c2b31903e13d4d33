"""Numbers in a message, in digits or in words."""

import re
from dataclasses import dataclass
from typing import Any

from gatehouse.models.embedded.text import WORDS

_WORDS = dict(zip(WORDS["numbers"], (*range(20), *range(20, 100, 10)), strict=True))
_SCALES = {"k": 1_000, "hundred": 100, "thousand": 1_000, "million": 10**6, "bn": 10**9, "billion": 10**9}
_WORD = "|".join(reversed(_WORDS))
_IN_WORDS = re.compile(rf"\b(?:(?:{'|'.join(WORDS['numbers'][20:])})[\s-])?(?:{_WORD})\b", re.IGNORECASE)
_DIGITS = r"(?<![\w.,])[$€£¥]?\s?(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
_IN_DIGITS = re.compile(rf"{_DIGITS}(?:\s?({'|'.join(_SCALES)})\b)?(?!\d)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Span:
    """A value, and where it stands in a message."""

    value: Any
    start: int
    end: int


def numbers_in(text: str) -> list[Span]:
    """Return the numbers of a message in order: `1,200`, `$2.5k`, `3 million`; `digits_for_words` first."""
    return [
        Span(_number(match[1], match[2]), match.start(1), match.end()) for match in _IN_DIGITS.finditer(text)
    ]


def digits_for_words(text: str) -> str:
    """Return the message with numbers below a hundred in digits, but for a lone `one`: mostly a pronoun."""
    return _IN_WORDS.sub(lambda match: _in_digits(match[0].lower()), text)


def _number(digits: str, scale: str | None) -> int | float:
    value = float(digits.replace(",", "")) * _SCALES.get((scale or "").lower(), 1)
    return value if "." in digits and (not scale or value % 1) else round(value)


def _in_digits(words: str) -> str:
    return words if words == "one" else str(sum(_WORDS.get(word, 0) for word in re.split(r"[\s-]", words)))
