"""Arithmetic in a message, as it stands there (`(2+3)*4`) or in words (`the square root of 81`)."""

import ast
import re

from chains.embedded.text.numbers import digits_for_words

LONGEST = 200  # characters: bounds the nesting that the parser sees

_NUMBER = r"(?:\d+(?:\.\d+)?)"
_LIST = rf"({_NUMBER}(?:(?:\s*,\s*(?:and\s+)?|\s+and\s+){_NUMBER})+)"
_ITEM = re.compile(r"\s*,\s*(?:and\s+)?|\s+and\s+")


def _joined(operator: str) -> "re.Callable[[re.Match[str]], str]":  # type: ignore[name-defined]
    return lambda match: operator.join(_ITEM.split(match[1]))
