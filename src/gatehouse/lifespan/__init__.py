"""Opens what the server needs, in order, and closes it in reverse."""

import gc
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import structlog
from fastapi import FastAPI
from sse_starlette.sse import AppStatus

from gatehouse.lifespan.services import open_services
from gatehouse.registry.checked import Registry
from gatehouse.services import State
from gatehouse.settings import Settings
from gatehouse.telemetry.logs import configure_logging
from gatehouse.telemetry.telemetry import Telemetry

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[State]]


def lifespan_for(settings: Settings, registry: Registry, telemetry: Telemetry) -> Lifespan:
    """Return the lifespan of an application with these settings and entries."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[State]:
        if not structlog.is_configured():  # under a plain uvicorn: its own way would print local variables
            configure_logging(settings.log_level, pretty=False)
        # else every open stream ends at SIGTERM, without its last events; uvicorn waits for them instead
        AppStatus.disable_automatic_graceful_drain()  # type: ignore[no-untyped-call]
        async with open_services(settings, registry, telemetry) as services:
            tune_garbage_collection()
            yield {"services": services}

    return lifespan


def tune_garbage_collection() -> None:
    """Have the collector leave alone what was made at start, and look at the rest in small pieces.

    At 50 streams it took 35 to 45 % of the CPU. A pause is as long as there are objects to look at: 2,000
    for the young ones, which are a millisecond, and 12,000 for those that were young a while ago. Looking at
    all of them would hold a process with 1,000 open streams for a third of a second, so that is rare.
    """
    if gc.isenabled():  # else this is a process that has done nothing but start (gatehouse.process.garbage)
        gc.collect()
    gc.freeze()
    gc.set_threshold(2_000, 5, 5_000)
