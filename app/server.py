"""Runs the application with uvicorn: where it listens, which limits a connection has, and how it ends."""

import asyncio
import logging
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

import structlog
import uvicorn

from app.lifespan import Services
from app.main import create_app
from app.protocol import BoundedHead
from app.runs.engine import RunEngine
from app.settings import Settings
from app.startup import Contained, CutOff, StartFailed, reason
from app.telemetry.logs import configure_logging
from chains.registry import BadRegistry

log = structlog.get_logger(__name__)

KEEP_ALIVE = 65  # seconds; longer than a proxy keeps an idle connection, so that the proxy closes it first
LAST_WORDS_SECONDS = 3.0  # in which streams end after their runs were handed over
IDLE_POLL = 0.1
MAX_FRAME = 66_560  # bytes; the application answers what is over its own limit of 65,536, uvicorn hangs up


def run_one(
    settings: Settings, listener: socket.socket, announce: Callable[[Services], Awaitable[None]]
) -> None:
    """Serve in this process until a signal ends it; `announce` is called when it serves.

    Raises StartFailed, and CutOff when a second signal did not wait for open streams.
    """
    configure_server_logging(settings)
    try:
        app = Contained(create_app(settings))
    except BadRegistry as error:
        raise StartFailed(reason(error)) from error
    server = OneWorker(uvicorn.Config(app, workers=1, **options(settings)), app, listener, announce)
    try:
        server.run([listener])
    except asyncio.CancelledError:
        if server.started:
            raise CutOff from None


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
        raise cannot_listen(host, port, error) from None
    return listener


def cannot_listen(host: str, port: int, error: OSError) -> StartFailed:
    return StartFailed(
        f"cannot listen on {host} port {port} ({error.strerror}): stop what uses it, or choose another "
        "with --host and --port (GATEHOUSE_HOST, PORT)"
    )


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
        "timeout_graceful_shutdown": 1,  # by then DrainingServer has let the streams end
        "http": BoundedHead,
        "ws_max_size": MAX_FRAME,
    }


def configure_server_logging(settings: Settings) -> None:
    """Log as the settings say: for people where people look, else as JSON."""
    configure_logging(settings.log_level, pretty=settings.development and sys.stderr.isatty())
    # what it says at info is in our own words, or goes without saying
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)


class DrainingServer(uvicorn.Server):
    """A server that a signal ends in stages, and that listens until the last of them (docs/failures.md)."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        services: Services = self.lifespan.state["services"]
        await self._drain(services)
        await super().shutdown(sockets)
        log.info("stopped")

    async def _drain(self, services: Services) -> None:
        """Serve on until proxies have noticed, let the streams end, and hand over what is left."""
        settings, runs = services.settings, services.runs
        runs.drain.leave()
        await asyncio.sleep(settings.drain_delay)
        runs.drain.refuse()
        log.info("draining", runs=len(runs.local), requests=len(self.server_state.tasks))
        if not await self._idle(runs, settings.drain_seconds):
            log.info("handing over", runs=len(runs.local), requests=len(self.server_state.tasks))
            await runs.hand_over()
            await self._idle(runs, LAST_WORDS_SECONDS)

    async def _idle(self, runs: RunEngine, seconds: float) -> bool:
        """Return True when no run and no request goes on here any more, False when that takes longer."""
        until = time.monotonic() + seconds
        while runs.local or self.server_state.tasks:
            if time.monotonic() >= until:
                return False
            await asyncio.sleep(IDLE_POLL)
        return True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002  # uvicorn's signature
        # uvicorn would send itself the signal again in the end, and a drained server would not exit with 0
        self.should_exit = True
        if self.started:
            self.lifespan.state["services"].runs.drain.leave()


class OneWorker(DrainingServer):
    """A server in this process. The first signal drains it, the second ends it at once.

    One that comes before it serves ends it at once too: there is nothing to drain.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        app: Contained,
        listener: socket.socket,
        announce: Callable[[Services], Awaitable[None]],
    ) -> None:
        super().__init__(config)
        self._app = app
        self._host, self._port = listener.getsockname()[:2]
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
            error = self._app.error or RuntimeError("the lifespan failed")
            raise StartFailed(reason(error)) from error
        except OSError as error:  # another process bound the port too, and listened first
            await self.lifespan.shutdown()
            raise cannot_listen(self._host, self._port, error) from error
        finally:
            uvicorns.disabled = False
        try:
            await self._announce(self.lifespan.state["services"])
        except BaseException:
            await uvicorn.Server.shutdown(self, sockets)  # uvicorn leaves that to the process's end
            raise

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if (self.should_exit or not self.started) and self._serving is not None:
            self._serving.get_loop().call_soon_threadsafe(self._serving.cancel)
        super().handle_exit(sig, frame)
