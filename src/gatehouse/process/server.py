"""Runs the application with uvicorn, and ends it in stages."""

import asyncio
import gc
import logging
import socket
import time
from collections.abc import Awaitable, Callable
from types import FrameType

import structlog
import uvicorn

from gatehouse.main import create_app
from gatehouse.process.endings import CutOff, StartFailed
from gatehouse.process.listening import cannot_listen, configure_server_logging, options
from gatehouse.process.startup import Contained, reason
from gatehouse.registry.checked import BadRegistry
from gatehouse.runs.engine import RunEngine
from gatehouse.services import Services
from gatehouse.settings import Settings

log = structlog.get_logger(__name__)

LAST_WORDS_SECONDS = 3.0  # in which streams end after their runs were handed over
IDLE_POLL = 0.1


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


class DrainingServer(uvicorn.Server):
    """A server that a signal ends in stages, and that listens until the last of them (docs/failures.md)."""

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until the end, whatever is raised in between.

        What a callback of a library raises that is no Exception ends the event loop: it is begun again, and
        those who are served do not notice.
        """
        with asyncio.Runner(loop_factory=self.config.get_loop_factory()) as runner:
            loop = runner.get_loop()
            serving = loop.create_task(self.serve(sockets=sockets))
            while not serving.done():
                try:
                    loop.run_until_complete(serving)
                except (SystemExit, KeyboardInterrupt) as error:
                    if serving.done() or not self.started:
                        raise
                    log.error("event loop goes on", error=type(error).__name__)  # noqa: TRY400  # below: no secret

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
            gc.enable()  # gatehouse.process.garbage
        try:
            await self._announce(self.lifespan.state["services"])
        except BaseException:
            await uvicorn.Server.shutdown(self, sockets)  # uvicorn leaves that to the process's end
            raise

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if (self.should_exit or not self.started) and self._serving is not None:
            self._serving.get_loop().call_soon_threadsafe(self._serving.cancel)
        super().handle_exit(sig, frame)
