"""Logs: one line an event, from us and from libraries, with what must not be logged taken out."""

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from gatehouse.auth.tokens.issuing import issue_token
from gatehouse.telemetry.logs import configure_logging
from gatehouse.telemetry.redaction import REDACTED

SECRET = "hunter2-of-the-bank"
API_KEY = "gh_dev_0123456789abcdef_ZXhhbXBsZXNlY3JldA1a2b3c4d"
JWT = issue_token("s" * 32, "gatehouse", "gatehouse", "alice", "acme")

Configure = Callable[..., io.StringIO]


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    """Configure logging, and return what then goes to stderr."""
    root, names = logging.getLogger(), ("httpx", "httpcore", "openai", "alembic", "uvicorn.access")
    handlers, level = root.handlers, root.level
    levels = {name: logging.getLogger(name).level for name in names}
    original = structlog.configure

    def without_cache(**options: Any) -> None:  # a logger that was used keeps its configuration otherwise
        original(**{**options, "cache_logger_on_first_use": False})

    def start(level: str = "info", *, pretty: bool = False) -> io.StringIO:
        stderr = io.StringIO()
        monkeypatch.setattr(sys, "stderr", stderr)
        monkeypatch.setattr(structlog, "configure", without_cache)
        configure_logging(level, pretty)
        return stderr

    yield start
    monkeypatch.undo()
    root.handlers, root.level = handlers, level
    for name, value in levels.items():
        logging.getLogger(name).setLevel(value)
    structlog.reset_defaults()


def lines(stderr: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stderr.getvalue().splitlines()]


class TestOurOwn:
    def test_an_event_is_one_line_of_json(self, configure: Configure) -> None:
        stderr = configure()
        structlog.get_logger("app.x").info("run started", run_id="r", text="a\nb")
        (line,) = lines(stderr)
        assert (
            line.items() >= {"event": "run started", "run_id": "r", "text": "a\nb", "level": "info"}.items()
        )
        assert line["logger"] == "app.x"
        assert line["timestamp"].endswith("Z")

    def test_the_request_s_id_is_in_it(self, configure: Configure) -> None:
        stderr = configure()
        with structlog.contextvars.bound_contextvars(request_id="r-1"):
            structlog.get_logger("app.x").info("x")
        assert lines(stderr)[0]["request_id"] == "r-1"

    def test_secrets_are_out_of_the_message_the_fields_and_the_traceback(self, configure: Configure) -> None:
        stderr = configure("debug")
        try:
            raise ValueError(f"refused {API_KEY}")
        except ValueError:
            structlog.get_logger("app.x").exception(f"bad key {API_KEY}", header=f"Bearer {JWT}", token="t")
        assert API_KEY not in stderr.getvalue()
        assert JWT not in stderr.getvalue()
        (line,) = lines(stderr)
        assert "ValueError: refused [redacted]" in line["exception"]
        assert line["token"] == REDACTED

    def test_secrets_are_out_of_objects_that_are_logged(self, configure: Configure) -> None:
        stderr = configure()
        error = ValueError(f"refused {API_KEY}")
        structlog.get_logger("app.x").warning(
            "bad", error=error, raw=API_KEY.encode(), group={"of": {API_KEY}}
        )
        assert API_KEY not in stderr.getvalue()
        assert lines(stderr)[0]["error"] == "ValueError('refused [redacted]')"

    def test_secrets_are_out_of_the_exceptions_behind_an_exception(self, configure: Configure) -> None:
        stderr = configure("debug")
        try:
            try:
                raise OSError(f"postgresql://gatehouse:{SECRET}@db/x")
            except OSError as error:
                raise ExceptionGroup("several", [RuntimeError(API_KEY)]) from error
        except ExceptionGroup:
            structlog.get_logger("app.x").exception("failed")
        assert SECRET not in stderr.getvalue()
        assert API_KEY not in stderr.getvalue()
        assert "RuntimeError: [redacted]" in lines(stderr)[0]["exception"]

    def test_levels_below_the_setting_are_left_out(self, configure: Configure) -> None:
        stderr = configure("warning")
        log = structlog.get_logger("app.x")
        log.info("not this")
        log.warning("this")
        assert [line["event"] for line in lines(stderr)] == ["this"]

    def test_for_people_it_is_no_json_and_hides_as_much(self, configure: Configure) -> None:
        stderr = configure(pretty=True)
        structlog.get_logger("app.x").info("bad key", key=API_KEY)
        assert "bad key" in stderr.getvalue()
        assert not stderr.getvalue().startswith("{")
        assert API_KEY not in stderr.getvalue()


ANSWER = "Bonds are loans"


def answered() -> None:
    """Raise what quotes an answer, in each of the places that an exception has for it."""
    try:
        raise ValueError(ANSWER)
    except ValueError as error:
        error.add_note(ANSWER)
        raise ExceptionGroup(ANSWER, [KeyError(ANSWER), TimeoutError("no answer")]) from error


class TestExceptions:
    def test_of_a_run_are_told_without_what_they_say(self, configure: Configure) -> None:
        stderr = configure()
        for logger in (structlog.get_logger("app.x"), logging.getLogger("asyncio")):
            try:
                answered()
            except ExceptionGroup:
                logger.exception("run failed")
        ours, theirs = (line["exception"] for line in lines(stderr))
        assert ANSWER not in stderr.getvalue()
        assert ours == theirs
        for told in ("ValueError: (", "in answered", "direct cause", "ExceptionGroup: (", "KeyError: ("):
            assert told in ours
        assert "TimeoutError: no answer" in ours

    def test_are_told_whole_at_debug(self, configure: Configure) -> None:
        stderr = configure("debug")
        try:
            answered()
        except ExceptionGroup:
            structlog.get_logger("app.x").exception("run failed")
        assert f"KeyError: {ANSWER!r}" in lines(stderr)[0]["exception"]

    @pytest.mark.parametrize(("suppressed", "told"), [(False, 2), (True, 1)])
    def test_tell_what_was_being_handled_unless_it_is_left_out(
        self, configure: Configure, suppressed: bool, told: int
    ) -> None:
        stderr = configure()
        error = TimeoutError("after")
        error.__context__, error.__suppress_context__ = TimeoutError("before"), suppressed
        structlog.get_logger("app.x").error("x", exc_info=error)
        exception = lines(stderr)[0]["exception"]
        assert exception.count("TimeoutError: ") == told
        assert ("another exception occurred" in exception) is not suppressed

    def test_that_cause_each_other_end(self, configure: Configure) -> None:
        stderr = configure()
        first, second = ValueError("a"), ValueError("b")
        first.__cause__, second.__cause__ = second, first
        structlog.get_logger("app.x").error("x", exc_info=first)
        assert lines(stderr)[0]["exception"].count("ValueError: (") == 2


class TestLibraries:
    def test_their_records_look_the_same(self, configure: Configure) -> None:
        stderr = configure()
        logging.getLogger("uvicorn.error").warning("port %s of %s", 80, API_KEY)
        (line,) = lines(stderr)
        assert line.items() >= {"event": f"port 80 of {REDACTED}", "logger": "uvicorn.error"}.items()

    def test_their_tracebacks_are_redacted(self, configure: Configure) -> None:
        stderr = configure("debug")
        try:
            raise ValueError(API_KEY)
        except ValueError:
            logging.getLogger("asyncio").exception("task failed")
        assert API_KEY not in stderr.getvalue()
        assert "ValueError: [redacted]" in lines(stderr)[0]["exception"]

    @pytest.mark.parametrize(
        "name", ["httpx", "httpx2", "httpcore", "httpcore2", "openai", "alembic", "uvicorn.access"]
    )
    def test_those_that_talk_about_every_request_are_quiet(self, configure: Configure, name: str) -> None:
        stderr = configure()
        logging.getLogger(name).info("GET /?key=x")
        logging.getLogger(name).warning("this")
        assert [line["event"] for line in lines(stderr)] == ["this"]

    def test_each_is_logged_once(self, configure: Configure) -> None:
        logging.getLogger("uvicorn").addHandler(logging.StreamHandler())
        stderr = configure()
        logging.getLogger("uvicorn.error").error("once")
        assert len(lines(stderr)) == 1
