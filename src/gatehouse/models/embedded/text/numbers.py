"""Numbers in a message, in digits or in words."""

import re
from dataclasses import dataclass

UNITS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
SUFFIXES = {"k": 1_000, "m": 1_000_000, "bn": 1_000_000_000, **SCALES}
COUNTED = ("share", "stock", "bond", "unit", "piece", "item", "coin", "token")  # 10 shares are no price
WORDS = {
    **{word: value for value, word in enumerate(UNITS)},
    **{word: 10 * (tens + 2) for tens, word in enumerate(TENS)},
}

_SCALE = "|".join(SCALES)
_WORD = "|".join(sorted((*WORDS, *SCALES), key=len, reverse=True))
IN_WORDS = re.compile(rf"\b(?:(?:{_SCALE})\s+and\s+|(?:{_WORD})(?:\s+|-))*(?:{_WORD})\b", re.IGNORECASE)
IN_DIGITS = re.compile(
    r"""(?<![\w.,])(?P<currency>[$€£¥]\s?)?
        (?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)
        (?:(?P<suffix>k|m|bn)(?![a-z])|\s(?P<scale>hundred|thousand|million|billion)\b)?
        (?![\d])""",
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a message: its value and where it stands there."""

    value: int | float
    start: int
    end: int


def numbers_in(text: str) -> list[Number]:
    """Return the numbers of a message in order: `1,200`, `$2.5k`, `3 million`; `digits_for_words` first."""
    return [_number(match) for match in IN_DIGITS.finditer(text)]


def digits_for_words(text: str) -> str:
    """Return the message with numbers in words written in digits: `twenty-five` becomes `25`.

    A lone `one` stays: it is mostly a pronoun.
    """
    return IN_WORDS.sub(lambda match: _in_digits(match[0]), text)


def _number(match: re.Match[str]) -> Number:
    digits = match["digits"].replace(",", "")
    value: int | float = float(digits) if "." in digits else int(digits)
    suffix = (match["suffix"] or match["scale"] or "").lower()
    end = match.end()
    if suffix == "m" and not match["currency"]:
        suffix, end = "", match.end("digits")  # 6m is six months or metres, $6m is money
    scaled = value * SUFFIXES.get(suffix, 1)
    return Number(int(scaled) if scaled == int(scaled) and suffix else scaled, match.start(), end)


def _in_digits(words: str) -> str:
    parts = [part for part in re.split(r"[\s-]+", words.lower()) if part != "and"]
    if parts == ["one"] or parts[0] in SCALES:
        return words
    numbers, total, group = [], 0, 0
    for part in parts:
        if part == "hundred":
            group *= 100
        elif part in SCALES:
            total, group = total + group * SCALES[part], 0
        elif group % 100 and (part not in UNITS[:10] or group % 10):  # "five seven" is two numbers
            numbers.append(total + group)
            total, group = 0, WORDS[part]
        else:
            group += WORDS[part]
    return " ".join(map(str, [*numbers, total + group]))
