"""Nothing of a question or an answer is logged at any level but debug: whatever any test logs is looked through.

Here what is logged in the tests' own process; `live_server` looks through the logs of servers.
"""

import logging
from collections.abc import Generator

import pytest
from planted_words import WORDS
from structlog.stdlib import ProcessorFormatter

quoted: list[str] = []
_format = ProcessorFormatter.format


def pytest_configure() -> None:
    ProcessorFormatter.format = formatted  # type: ignore[method-assign, assignment]


def formatted(formatter: ProcessorFormatter, record: logging.LogRecord) -> str:
    """Return a line as it is logged, and keep it when it quotes somebody."""
    line = _format(formatter, record)
    if record.levelno > logging.DEBUG and WORDS.search(line):
        quoted.append(line)
    return line


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None, None, None]:
    """Fail the test in whose time a line was logged that quotes somebody."""
    yield
    lines, quoted[:] = quoted[:], []
    assert not lines, f"logged of a question or an answer: {lines}"
