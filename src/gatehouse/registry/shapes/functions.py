"""What a function that declares no types does with its argument: whether it takes that for a text.

LangChain reads the keys that a function looks up off its source; this is the same for the rest.
"""

import ast
import inspect
import linecache
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType
from typing import Any

from langchain_core.runnables import (
    Runnable,
    RunnableAssign,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
)

from gatehouse.runs.sources.unwrapping import first_of

OF_TEXTS = set(dir(str)) - set(dir(dict)) - set(dir(list))
OF_OBJECTS = set(dir(dict)) - set(dir(str)) - set(dir(object))
# by which people call a text that they only hand on
NAMES_OF_TEXTS = {"q", "query", "question", "text", "s", "string", "sentence", "word", "topic", "prompt"}

Function = ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef


def takes_text(runnable: Runnable[Any, Any]) -> bool:
    """Tell whether the functions that stand first use their argument as a text, and none as an object."""
    return set(uses_of(first_of(runnable))) == {"text"}


def uses_of(first: Runnable[Any, Any]) -> Iterator[str]:
    """Yield as what the functions that stand first use their argument: a `text`, an `object`."""
    if isinstance(first, RunnableParallel):
        for step in first.steps__.values():
            yield from uses_of(first_of(step))
    if not isinstance(first, RunnableLambda):
        return
    called = getattr(first, "func", None) or getattr(first, "afunc", None)
    function = definition_of(called)
    arguments = function.args.args[inspect.ismethod(called) :] if function else []
    if function is not None and arguments:
        yield from uses_in(function, arguments[0].arg)


def takes_more(runnable: Runnable[Any, Any]) -> bool:
    """Tell whether a runnable may use more of an object than LangChain reads off its functions."""
    first = first_of(runnable)
    if isinstance(first, RunnableLambda):
        return first.InputType is Any
    return isinstance(first, RunnableAssign | RunnableParallel | RunnablePassthrough)


def definition_of(function: Any) -> Function | None:
    """Return the definition of a function in its module's source, None where that is not to be had."""
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType):
        return None
    nodes = ast.walk(module_in(code.co_filename))
    return next((node for node in nodes if isinstance(node, Function) and is_of(node, code)), None)


@lru_cache(maxsize=64)
def module_in(filename: str) -> ast.AST:
    try:
        return ast.parse("".join(linecache.getlines(filename)))
    except SyntaxError:
        return ast.Module([], [])


def is_of(node: Function, code: CodeType) -> bool:
    """Tell whether a function's code was made of this definition; several lambdas may stand on a line."""
    if isinstance(node, ast.Lambda):
        body = node.body
        place = (body.lineno, body.end_lineno, body.col_offset, body.end_col_offset)
        return code.co_name == "<lambda>" and place in code.co_positions()
    begins = min(part.lineno for part in (*node.decorator_list, node))
    return (node.name, begins) == (code.co_name, code.co_firstlineno)


def uses_in(function: Function, name: str) -> Iterator[str]:
    """Yield as what a function uses its argument of this name."""
    if name in NAMES_OF_TEXTS:
        yield "text"
    for parent in ast.walk(function):
        for field, child in ast.iter_fields(parent):
            for one in child if isinstance(child, list) else [child]:
                if isinstance(one, ast.Name) and one.id == name and (use := use_in(parent, field)):
                    yield use


def use_in(parent: ast.AST, field: str) -> str | None:
    """Return as what a part of an expression uses what stands in its field, None where any value would do."""
    use: str | None = None
    match parent:
        case ast.Attribute(attr=attr):
            use = "text" if attr in OF_TEXTS else "object" if attr in OF_OBJECTS else None
        case ast.Subscript(slice=ast.Constant(value=str()) | ast.Name()) if field == "value":
            use = "object"
        case ast.BinOp(op=ast.BitOr()) | ast.keyword(arg=None):
            use = "object"
        case ast.Dict(keys=keys):
            use = "object" if None in keys else "text"
        case ast.FormattedValue() | ast.Tuple():
            use = "text"
        case ast.Call(func=ast.Name(id=called)) if field == "args":
            use = "text" if called in ("int", "float") or called[:1].isupper() else None
        case ast.keyword(arg="content" | "page_content" | "query"):
            use = "text"
    return use
