"""Structured logs, one line an event, with what must not be logged taken out."""

import json
import logging
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog
from structlog.contextvars import bind_contextvars, reset_contextvars

from gatehouse.telemetry.redaction import redact
from gatehouse.telemetry.tracebacks import unquoted

ENCODER = json.JSONEncoder(default=repr)  # of what `redact` leaves, dates alone are not JSON


def redact_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The structlog processor around `redact`: runs last before rendering, on tracebacks too."""
    message = event.pop("event", "")
    cleaned: dict[str, Any] = redact(dict(event))
    return {"event": redact(message), **cleaned}


def as_json(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    """The structlog processor that renders an event: structlog's own makes an encoder for each."""
    return ENCODER.encode(event)


def configure_logging(level: str, pretty: bool) -> None:
    """Send structlog's and the standard library's records to stderr: as JSON, or coloured when `pretty`.

    What exceptions say is shown at debug alone.
    """
    whole, without_quotes = (
        structlog.processors.format_exc_info,
        structlog.processors.ExceptionRenderer(unquoted),
    )
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        whole if level == "debug" else without_quotes,
        redact_event,
    ]
    renderer: structlog.typing.Processor = structlog.dev.ConsoleRenderer() if pretty else as_json
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)  # RequestContext logs requests
    for name in ("httpx", "httpx2", "httpcore", "httpcore2", "openai", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


@contextmanager
def logged_with(**fields: str) -> Iterator[None]:
    """Have log lines tell of these fields that are not empty. structlog's own way costs twice as much."""
    tokens = bind_contextvars(**{name: value for name, value in fields.items() if value})
    try:
        yield
    finally:
        reset_contextvars(**tokens)
