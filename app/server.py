"""Runs the application with uvicorn: how it starts, which limits a connection has, and how it ends."""

import asyncio
import logging
import math
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

import structlog
import uvicorn
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from app.auth.configuration import BadConfiguration
from app.lifespan import CannotStart, Services
from app.main import create_app
from app.settings import Settings
from app.telemetry.logs import configure_logging, redact
from chains.models import ModelUnavailable
from chains.registry import BadRegistry
from tools.registry import BadTool

log = structlog.get_logger(__name__)

KEEP_ALIVE = 65  # seconds; longer than a proxy keeps an idle connection, so that the proxy closes it first
MAX_HEAD = 65_536  # bytes of an unfinished request line and headers, where uvicorn has a limit: with h11
MAX_FRAME = 66_560  # bytes; the application answers what is over its own limit of 65,536, uvicorn hangs up
START_SECONDS = 120  # within which all workers must serve

PARTS = {
    CannotStart: "",  # its message begins with the part
    BadRegistry: "chains/registry.py: ",
    BadTool: "tools/registry.py: ",
    ModelUnavailable: "chat model: ",
    BadConfiguration: "authentication: ",
}


class StartFailed(Exception):
    """The server could not start; the message is one line that says which part is wrong."""


def reason(error: Exception) -> str:
    """Return in one line, without secrets, why a start failed."""
    for kind, part in PARTS.items():
        if isinstance(error, kind):
            return " ".join(f"{part}{error}".split())
    if isinstance(error, SQLAlchemyError):  # its text may hold the URL and its password
        return f"database: GATEHOUSE_DATABASE_URL cannot be used ({type(error).__name__})"
    return str(redact(f"{type(error).__name__}: {' '.join(str(error).split())}"))


def listen(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address. Raises StartFailed when it is taken or not ours.

    It is bound before anything is opened, so that a taken port is told at once.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise StartFailed(
            f"cannot listen on {host} port {port} ({error.strerror}): stop what uses it, or choose another "
            "with --host and --port (GATEHOUSE_HOST, PORT)"
        ) from None
    return listener


def options(settings: Settings) -> dict[str, Any]:
    """Return the options of uvicorn's Config."""
    return {
        "lifespan": "on",
        "log_config": None,  # configure_logging did that
        "access_log": False,  # RequestContext logs requests
        "server_header": False,
        "proxy_headers": True,
        "forwarded_allow_ips": settings.trusted_proxies,
        "timeout_keep_alive": KEEP_ALIVE,
        "timeout_graceful_shutdown": max(1, math.ceil(settings.drain_seconds)),
        "h11_max_incomplete_event_size": MAX_HEAD,
        "ws_max_size": MAX_FRAME,
    }


def configure_server_logging(settings: Settings) -> None:
    """Log as the settings say: for people where people look, else as JSON."""
    configure_logging(settings.log_level, pretty=settings.development and sys.stderr.isatty())
    # what it says at info is in our own words, or goes without saying
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)


class StartUp:
    """The application, which keeps what its start raises.

    Starlette hands uvicorn a traceback instead, which nobody who mistyped a URL wants to read.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.error: Exception | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return
        phase = "startup"

        async def send_unless_failed(message: Message) -> None:
            nonlocal phase
            if not message["type"].endswith(".failed"):
                phase = "shutdown"
                await send(message)

        try:
            await self.app(scope, receive, send_unless_failed)
        except Exception as error:
            self.error = error
            await send({"type": f"lifespan.{phase}.failed", "message": reason(error)})
        except asyncio.CancelledError:
            log.warning("stopped without closing what was open")  # uvicorn would log it as an exception


class OneWorker(uvicorn.Server):
    """A server in this process. The first signal drains it, the second ends it at once."""

    def __init__(
        self, config: uvicorn.Config, app: StartUp, announce: Callable[[Services], Awaitable[None]]
    ) -> None:
        super().__init__(config)
        self._app = app
        self._announce = announce
        self._serving: asyncio.Task[None] | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        self._serving = asyncio.current_task()
        await super().serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Raises StartFailed."""
        uvicorns = logging.getLogger("uvicorn.error")
        uvicorns.disabled = True  # StartFailed says it
        try:
            await super().startup(sockets)
        except SystemExit:
            raise StartFailed(
                reason(self._app.error or RuntimeError("the lifespan failed"))
            ) from self._app.error
        finally:
            uvicorns.disabled = False
        await self._announce(self.lifespan.state["services"])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        log.info("draining", connections=len(self.server_state.connections))
        await super().shutdown(sockets)
        log.info("stopped")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002  # uvicorn's signature
        # uvicorn would send itself the signal again in the end, and a drained server would not exit with 0
        if self.should_exit and self._serving is not None:
            self._serving.get_loop().call_soon_threadsafe(self._serving.cancel)
        self.should_exit = True


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


def run_one(
    settings: Settings, listener: socket.socket, announce: Callable[[Services], Awaitable[None]]
) -> None:
    """Serve in this process until a signal ends it; `announce` is called when it serves.

    Raises StartFailed, and KeyboardInterrupt when a second signal did not wait for open streams.
    """
    configure_server_logging(settings)
    try:
        app = StartUp(create_app(settings))
    except BadRegistry as error:
        raise StartFailed(reason(error)) from error
    server = OneWorker(uvicorn.Config(app, workers=1, **options(settings)), app, announce)
    try:
        server.run([listener])
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def run_many(settings: Settings, workers: int, listener: socket.socket, announce: Callable[[], None]) -> None:
    """Serve in several processes until a signal ends them; `announce` is called when all serve.

    Raises StartFailed when one could not start, and says so in its log, or was killed.
    """
    configure_server_logging(settings)
    if settings.start_link is not None:
        os.environ["GATEHOUSE_START_LINK"] = settings.start_link.get_secret_value()
    config = uvicorn.Config("app.server:worker", factory=True, workers=workers, **options(settings))
    supervisor = Workers(config, listener, announce)
    supervisor.run()
    if supervisor.failed:
        raise StartFailed("a worker could not start, or was ended before its streams were: see above")


def worker() -> ASGIApp:
    """Return the application of one of several workers, which logs why it cannot start."""
    settings = Settings()
    configure_server_logging(settings)
    try:
        return StartUp(create_app(settings))
    except Exception as error:
        log.error("cannot start", reason=reason(error))  # noqa: TRY400  # one line, no traceback
        sys.exit(STARTUP_FAILURE)  # else uvicorn would start it again and again
