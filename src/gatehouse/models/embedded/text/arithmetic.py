"""Arithmetic in a message, as it stands there (`(2+3)*4`) or in words (`the square root of 81`)."""

import ast
import re

from gatehouse.models.embedded.text.numbers import digits_for_words

LONGEST = 200  # characters of an expression: bounds the nesting that the parser sees

_N = r"(\d+(?:\.\d+)?)"
_PERCENT = r"\s*(?:%|percent\b|per cent\b)"
_LIST = rf"{_N}((?:\s*,\s*(?:and\s+)?{_N}|\s+(?:and|by|with|to)\s+{_N})+)"
_LISTS = {rf"\b(?:sum of|add(?: up)?|total of) {_LIST}": " + ", rf"\b(?:product of|multiply) {_LIST}": " * "}
_IN_SIGNS = {
    r"(?<=\d)\s*[x\u00d7]\s*(?=\d)|\b(?:times|multiplied (?:by|with))\b": " * ",
    r"\u00f7|\bdivided by\b": "/",
    "[\u2212\u2013]": "-",
    r"\^|\b(?:raised )?to the (?:power of )?(?=\d)": "**",
    r"(?<=\d)\s*\(": " * (",
    rf"\bsquare root (?:of|from) {_N}": r"sqrt(\1)",
    r"(?<=\d) squared\b": " ** 2",
    r"\bplus\b": "+",
    r"\bminus\b": "-",
    rf"{_N}\s*([+-])\s*{_N}{_PERCENT}(?! \d)": r"\1 * (1 \2 \3 / 100)",
    rf"{_N}{_PERCENT} of {_N}": r"\1 / 100 * \2",
    rf"\bsubtract {_N} from {_N}": r"\2 - \1",
    rf"\bdivide {_N} by {_N}": r"\1 / \2",
    rf"{_N}{_PERCENT}(?!\s*[\d(])": r"(\1 / 100)",
}
_RUN = re.compile(r"(?:\d+(?:\.\d+)?|\.\d+|[a-z]{2,}(?=\()|\bpi\b|[-+*/%(),]|\s)+")


def arithmetic_in(text: str) -> list[str]:
    """Return the expressions that a message holds, in Python's notation: `2 ** 10`; a bare number is none."""
    text = digits_for_words(text).lower()
    # a date is no subtraction; separators of thousands and currencies are no part of a number
    text = re.sub(r"\b\d{4}-\d{2}-\d{2}\b|[$€£¥]\s?(?=\d)|(?<=\d),(?=\d{3}\b)", "", text)
    for listed, sign in _LISTS.items():
        text = re.sub(listed, lambda match, sign=sign: sign.join(re.findall(_N, match[0])), text)  # type: ignore[misc]
    for words, signs in _IN_SIGNS.items():
        text = re.sub(words, signs, text)
    return [found for run in _RUN.findall(text) for found in _expressions(run[:LONGEST].strip(" ,%*/+"))]


def _expressions(run: str) -> list[str]:
    """Return what can be worked out of a stretch of numbers and signs: the whole, else its parts."""
    try:
        tree = ast.parse(run, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        parts = re.split(r",|(?<=[\d)])\s+(?=[\d(a-z])", run)
        return [found for part in parts for found in _expressions(part.strip())] if len(parts) > 1 else []
    return [ast.unparse(tree)] if isinstance(tree, ast.BinOp | ast.Call) else []
