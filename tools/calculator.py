"""Arithmetic for the model: an evaluator of a small part of Python's expressions.

Nothing is ever passed to `eval`, and every intermediate result is bounded: an answer takes well under a
millisecond whatever the model writes. simpleeval bounds the exponent of a power alone (forty characters of it
took two seconds), and takes strings, booleans and attributes, all of which would have to be taken out again.
"""

import ast
import json
import math
import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Any

from langchain_core.tools import ToolException, tool
from pydantic import Field

Number = int | float

MAX_LENGTH = 200  # also bounds the nesting, to less than half of Python's recursion limit
MAX_BITS = 1024  # of an integer: about the size of the largest float
MAX_DIGITS = 15  # of round(): round(1, -10**9) would compute 10**10**9
SIGNIFICANT = 12  # digits of a float shown: 0.1 + 0.2 is 0.3, not 0.30000000000000004

SYNTAX = "numbers, + - * / // % **, parentheses, sqrt, log, exp, round, abs, min, max, pi and e"


@tool
def calculator(expression: Annotated[str, Field(description="such as 1200 * (1 + 0.05) ** 10")]) -> str:
    """Work out an arithmetic expression.

    Knows + - * / // % **, parentheses, sqrt, log(x) or log(x, base), exp, round(x, digits), abs, min, max,
    pi and e.
    """
    result = evaluate(expression)
    if isinstance(result, float):
        result = float(f"{result:.{SIGNIFICANT}g}")
    return json.dumps({"expression": expression, "result": result}, separators=(",", ":"))


def evaluate(expression: str) -> Number:
    """Return the value of an arithmetic expression: an int of at most 1,024 bits or a finite float.

    Raises ToolException with a message that says what to write instead.
    """
    if len(expression) > MAX_LENGTH:
        raise ToolException(f"The expression is longer than {MAX_LENGTH} characters. Work it out in steps.")
    try:
        return _value(_parsed(expression))
    except ZeroDivisionError:
        raise ToolException("This divides by zero. Check the numbers.") from None
    except OverflowError:
        raise ToolException(_TOO_LARGE) from None
    except ValueError as error:  # such as the square root or the logarithm of a negative number
        raise ToolException(f"This has no real result: {error}.") from None


def _parsed(expression: str) -> ast.expr:
    try:
        return ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError):  # ValueError: lone surrogates; MemoryError: deep nesting
        raise ToolException(f"This cannot be read as arithmetic. Use only {SYNTAX}.") from None


def _value(node: ast.expr) -> Number:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return _bounded(number)
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _SIGNS:
            return _SIGNS[type(op)](_value(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _bounded(_OPERATORS[type(op)](_value(left), _value(right)))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS:
            return _call(name, [_value(argument) for argument in arguments])
        case ast.Tuple():
            raise ToolException("Write numbers without thousands separators: 1000, not 1,000.")
    raise ToolException(f"`{ast.unparse(node)}` is not known here. Use only {SYNTAX}; a power is written **.")


def _call(name: str, arguments: list[Number]) -> Number:
    function, least, most = _FUNCTIONS[name]
    if not least <= len(arguments) <= most:
        count = f"{least}" if least == most else f"{least} to {most}"
        raise ToolException(f"{name} takes {count} numbers, not {len(arguments)}.")
    return _bounded(function(*arguments))


def _bounded(value: Any) -> Number:
    """Return an intermediate result, unless it is too large to go on with or not a real number."""
    if isinstance(value, complex):
        raise ToolException("This has no real result: a root of a negative number.")
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise ToolException(_TOO_LARGE)
    if not math.isfinite(value):
        raise ToolException(_TOO_LARGE)
    number: Number = value
    return number


def _power(base: Number, exponent: Number) -> Any:
    if (
        isinstance(base, int)
        and isinstance(exponent, int)
        and (abs(base).bit_length() - 1) * exponent > MAX_BITS  # the result has at least as many bits
    ):
        raise ToolException(_TOO_LARGE)
    return base**exponent


def _round(number: Number, digits: Number = 0) -> Number:
    if not isinstance(digits, int) or abs(digits) > MAX_DIGITS:
        raise ToolException(f"round takes a whole number of digits from -{MAX_DIGITS} to {MAX_DIGITS}.")
    return round(number, digits or None)


_TOO_LARGE = "A number in this gets too large (above about 10^308). Use smaller numbers or logarithms."

_CONSTANTS: Mapping[str, float] = MappingProxyType({"pi": math.pi, "e": math.e})

_SIGNS: Mapping[type[ast.unaryop], Callable[[Number], Number]] = MappingProxyType(
    {ast.UAdd: operator.pos, ast.USub: operator.neg}
)

_OPERATORS: Mapping[type[ast.operator], Callable[[Number, Number], Any]] = MappingProxyType(
    {
        ast.Add: operator.add,
        ast.Sub: operator.sub,
        ast.Mult: operator.mul,
        ast.Div: operator.truediv,
        ast.FloorDiv: operator.floordiv,
        ast.Mod: operator.mod,
        ast.Pow: _power,
    }
)

# name: the function, the fewest and the most numbers it takes
_FUNCTIONS: Mapping[str, tuple[Callable[..., Any], int, int]] = MappingProxyType(
    {
        "sqrt": (math.sqrt, 1, 1),
        "log": (math.log, 1, 2),
        "exp": (math.exp, 1, 1),
        "round": (_round, 1, 2),
        "abs": (abs, 1, 1),
        "min": (min, 2, MAX_LENGTH),
        "max": (max, 2, MAX_LENGTH),
    }
)
