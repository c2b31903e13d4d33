"""What one of several workers runs. The supervisor, which starts it, imports nothing of what is served."""

import sys

import structlog
from starlette.types import ASGIApp
from uvicorn.config import STARTUP_FAILURE

from gatehouse.main import create_app
from gatehouse.process.listening import configure_server_logging
from gatehouse.process.server import DrainingServer
from gatehouse.process.startup import Contained, reason
from gatehouse.settings import Settings

__all__ = ["DrainingServer", "application"]

log = structlog.get_logger(__name__)


def application() -> ASGIApp:
    """Return the application of one of several workers, which logs why it cannot start."""
    settings = Settings().model_copy(update={"management_port": None})  # that is the supervisor's
    configure_server_logging(settings)
    try:
        return Contained(create_app(settings))
    except Exception as error:
        log.error("cannot start", reason=reason(error))  # noqa: TRY400  # one line, no traceback
        sys.exit(STARTUP_FAILURE)  # else uvicorn would start it again and again
