"""What is looked for in the logs of all tests is found there."""

import json
import logging

import pytest
import scanned_logs
from planted_words import PLANTED, quoting
from structlog.dev import ConsoleRenderer
from structlog.stdlib import ProcessorFormatter

SAID = [PLANTED, "asked [say hello]", "t1 t2 t3", "This is a scripted answer."]


@pytest.fixture
def quoted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is kept of the lines that are logged, in place of what would fail this test."""
    lines: list[str] = []
    monkeypatch.setattr(scanned_logs, "quoted", lines)
    return lines


def log(level: int, message: str) -> None:
    record = logging.LogRecord("app", level, __file__, 1, message, None, None)
    scanned_logs.formatted(ProcessorFormatter(processor=ConsoleRenderer(colors=False)), record)


class TestThisProcess:
    @pytest.mark.parametrize("said", SAID)
    def test_a_line_that_quotes_somebody_is_kept(self, quoted: list[str], said: str) -> None:
        log(logging.INFO, said)
        assert len(quoted) == 1

    def test_one_of_debug_or_of_nobody_is_not(self, quoted: list[str]) -> None:
        log(logging.DEBUG, PLANTED)
        log(logging.ERROR, "run failed")
        assert quoted == []


class TestServers:
    @pytest.mark.parametrize("said", SAID)
    def test_lines_that_quote_somebody_are_told(self, said: str) -> None:
        lines = [json.dumps({"level": level, "event": said}) for level in ("debug", "info", "error")]
        assert quoting([*lines, "Traceback of no JSON"]) == lines[1:]
