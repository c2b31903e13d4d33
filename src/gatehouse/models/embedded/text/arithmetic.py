"""Arithmetic in a message, as it stands there (`(2+3)*4`) or in words (`the square root of 81`)."""

import ast
import re
from collections.abc import Iterator

from gatehouse.models.embedded.text.numbers import digits_for_words

LONGEST = 200  # characters of a run: bounds the nesting that the parser sees

_N = r"(\d+(?:\.\d+)?)"
_LIST = rf"{_N}((?:\s*,\s*(?:and\s+)?{_N}|\s+and\s+{_N})+)"
_PERCENT = r"\s*(?:%|percent\b|per cent\b)"

_SIGNS = (
    (r"\b\d{4}-\d{2}-\d{2}\b", " "),  # a date is no subtraction
    (r"(?<=\d),(?=\d{3}\b)", ""),
    (r"[$€£¥]\s?(?=\d)", ""),
    (r"\u00d7", "*"),
    (r"\u00f7", "/"),
    (r"[\u2212\u2013]", "-"),
    (r"\^", "**"),
    (rf"{_N}\s*x\s*(?=\d)", r"\1 * "),
    (r"(?<=\d)\s*\(", " * ("),
)
_WORDS = (
    (rf"\bsquare root (?:of|from) {_N}", r"sqrt(\1)"),
    (rf"\b{_N} squared\b", r"\1 ** 2"),
    (rf"\b{_N} cubed\b", r"\1 ** 3"),
    (rf"\b{_N} (?:raised )?to the (?:power of )?{_N}(?:st|nd|rd|th)?(?: power)?", r"\1 ** \2"),
    (rf"\b(?:increase|raise) {_N} by {_N}{_PERCENT}", r"\1 * (1 + \2 / 100)"),
    (rf"\b(?:decrease|reduce|lower) {_N} by {_N}{_PERCENT}", r"\1 * (1 - \2 / 100)"),
    (rf"\b{_N}{_PERCENT} of {_N}", r"\1 / 100 * \2"),
    (rf"\b{_N} (?:plus|\+) {_N}{_PERCENT}(?! \d)", r"\1 * (1 + \2 / 100)"),
    (rf"\b{_N} (?:minus|-) {_N}{_PERCENT}(?! \d)", r"\1 * (1 - \2 / 100)"),
    (rf"\bsubtract {_N} from {_N}", r"\2 - \1"),
    (rf"\bdifference (?:between|of) {_N} and {_N}", r"\1 - \2"),
    (rf"\b(?:divide {_N} by|quotient of {_N} and) {_N}", r"\1\2 / \3"),
    (rf"\bmultiply {_N} (?:by|with) {_N}", r"\1 * \2"),
    (rf"\badd {_N} to {_N}", r"\1 + \2"),
    (r"\bplus\b", "+"),
    (r"\bminus\b", "-"),
    (r"\b(?:times|multiplied (?:by|with))\b", "*"),
    (r"\bdivided by\b", "/"),
    (r"\bmod(?:ulo)?\b", "%"),
    (rf"{_N}{_PERCENT}(?!\s*[\d(])", r"(\1 / 100)"),
)
_LISTS = (
    (re.compile(rf"\b(?:sum of|add(?: up)?|total of) {_LIST}"), " + "),
    (re.compile(rf"\b(?:product of|multiply) {_LIST}"), " * "),
)
_TOKEN = re.compile(r"\d+(?:\.\d+)?|\.\d+|[a-z]+(?=\()|\bpi\b|\*\*|//|[-+*/%(),]|\S")
_NODES = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.Call, ast.Name, ast.Load, ast.Constant,
    ast.operator, ast.unaryop,
)  # fmt: skip


def arithmetic_in(text: str) -> list[str]:
    """Return the expressions that a message holds, in order, in Python's notation: `2 ** 10`, `sqrt(81)`.

    An expression has at least one operator or function: a bare number is none.
    """
    return [expression for run in _runs(_in_signs(text)) if (expression := _longest_expression(run))]


def _in_signs(text: str) -> str:
    text = digits_for_words(text).lower()
    for pattern, signs in _SIGNS:
        text = re.sub(pattern, signs, text)
    for listed, operator in _LISTS:
        text = listed.sub(lambda match, sign=operator: sign.join(re.findall(_N, match[0])), text)  # type: ignore[misc]
    for pattern, signs in _WORDS:
        text = re.sub(pattern, signs, text)
    return text


def _runs(text: str) -> Iterator[list[str]]:
    """Yield the stretches of a text that consist of numbers, signs and function names."""
    run: list[str] = []
    for token in _TOKEN.findall(text):
        is_sign = token in "**//+-%()" or (token == "," and run.count("(") > run.count(")"))  # noqa: S105
        if is_sign or token == "pi" or len(token) > 1 or token.isdigit():  # noqa: S105
            run.append(token)
        else:
            yield run
            run = []
    yield run


def _longest_expression(run: list[str]) -> str | None:
    if len(" ".join(run)) > LONGEST:
        return None
    for length in range(len(run), 1, -1):
        for start in range(len(run) - length + 1):
            if expression := _expression(" ".join(run[start : start + length])):
                return expression
    return None


def _expression(source: str) -> str | None:
    try:
        tree = ast.parse(source, mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    nodes = list(ast.walk(tree))
    if all(isinstance(node, _NODES) for node in nodes) and any(
        isinstance(node, ast.BinOp | ast.Call) for node in nodes
    ):
        return ast.unparse(tree)
    return None
