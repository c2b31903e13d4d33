"""Tracebacks without what exceptions say, which may quote a question or an answer.

LangChain's parsers put the whole answer into their message, and chains put what they cannot read into theirs.
Where something was raised, and of which class, tells an operator as much; the rest is told at debug.
"""

import textwrap
import traceback
from collections.abc import Iterator

from structlog.typing import ExcInfo

WITHHELD = "(what it says may quote somebody: GATEHOUSE_LOG_LEVEL=debug shows it)"
CAUSED = "\nThe above exception was the direct cause of the following exception:\n\n"
DURING = "\nDuring handling of the above exception, another exception occurred:\n\n"
# what these say is of names, files and connections
PLAIN = (OSError, ImportError, NameError, AttributeError, RecursionError, MemoryError)
# the same of Redis' and the databases' errors and our own; by name: who only logs has no package of theirs
PLAIN_NAMES = {"RedisError", "OperationalError", "ProgrammingError", "InterfaceError", "ApiError"}


def unquoted(exc_info: ExcInfo) -> str:
    """Return the traceback of an exception and of its causes, with the messages that cannot quote anybody."""
    return "".join(lines_of(exc_info[1], set())).rstrip("\n")


def lines_of(error: BaseException, told: set[int]) -> Iterator[str]:
    told.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in told:
        yield from lines_of(before, told)
        yield CAUSED if error.__cause__ else DURING
    yield "Traceback (most recent call last):\n"
    yield from traceback.format_tb(error.__traceback__)
    kind = type(error)
    yield f"{kind.__module__}.{kind.__qualname__}: {said_by(error)}\n".removeprefix("builtins.")
    if isinstance(error, BaseExceptionGroup):
        for within in error.exceptions:
            yield textwrap.indent("".join(lines_of(within, told)), "  | ")


def said_by(error: BaseException) -> str:
    names = {kind.__name__ for kind in type(error).__mro__}
    return str(error) if isinstance(error, PLAIN) or names & PLAIN_NAMES else WITHHELD
