"""Runs the application in several processes, with uvicorn's supervisor."""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable

import structlog
import uvicorn
from starlette.types import ASGIApp
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from app.main import create_app
from app.server import configure_server_logging, options
from app.settings import Settings
from app.startup import Contained, StartFailed, reason
from app.telemetry.management import CannotListen
from app.telemetry.workers import metrics_added_up

log = structlog.get_logger(__name__)

START_SECONDS = 120  # within which all workers must serve


def run_many(settings: Settings, workers: int, listener: socket.socket, announce: Callable[[], None]) -> None:
    """Serve in several processes until a signal ends them; `announce` is called when all serve.

    Raises StartFailed when one could not start, and says so in its log, or was killed.
    """
    configure_server_logging(settings)
    if settings.start_link is not None:
        os.environ["GATEHOUSE_START_LINK"] = settings.start_link.get_secret_value()
    config = uvicorn.Config("app.workers:worker", factory=True, workers=workers, **options(settings))
    supervisor = Workers(config, listener, announce)
    try:
        with metrics_added_up(settings):
            supervisor.run()
    except CannotListen as error:
        raise StartFailed(reason(error)) from error
    if supervisor.failed:
        raise StartFailed("a worker could not start, or was ended before its streams were: see above")


def worker() -> ASGIApp:
    """Return the application of one of several workers, which logs why it cannot start."""
    settings = Settings().model_copy(update={"management_port": None})  # that is the supervisor's
    configure_server_logging(settings)
    try:
        return Contained(create_app(settings))
    except Exception as error:
        log.error("cannot start", reason=reason(error))  # noqa: TRY400  # one line, no traceback
        sys.exit(STARTUP_FAILURE)  # else uvicorn would start it again and again


class Workers(Multiprocess):
    """Processes that serve on one socket. The first signal drains them, the second ends them at once."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket, announce: Callable[[], None]) -> None:
        super().__init__(config, [listener])
        self._announce = announce

    @property
    def failed(self) -> bool:
        """Whether a worker could not start, or had to be killed."""
        return any(process.exitcode in (STARTUP_FAILURE, -signal.SIGKILL) for process in self.processes)

    def init_processes(self) -> None:
        super().init_processes()
        if all(process.wait_until_ready(START_SECONDS, self.should_exit) for process in self.processes):
            self._announce()

    def join_all(self) -> None:
        while any(process.process.is_alive() for process in self.processes):
            if self.signal_queue:
                for process in self.processes:
                    process.kill()
            time.sleep(0.1)
        super().join_all()
