"""A server beside a task that measures how late its event loop is.

`python -m bench.lag.served FILE PORT [MODULE]`: the task appends a line of JSON to the file for each second.
Without a module the server is `gatehouse serve` with the settings of the environment, else plain uvicorn with
the module's `app`.
"""

import asyncio
import importlib
import json
import sys
import time
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from bench.lateness import lateness
from gatehouse.process.listening import listen
from gatehouse.process.server import run_one
from gatehouse.services import Services
from gatehouse.settings import Settings

EVERY = 1.0  # seconds that a line is about

sampling: set[asyncio.Task[None]] = set()


def main() -> None:
    path, port, *module = sys.argv[1:]
    if module:
        app = importlib.import_module(module[0]).app
        uvicorn.run(Sampled(app, Path(path)), port=int(port), log_level="warning")
        return

    async def announce(services: Services) -> None:  # noqa: ARG001  # what the server calls it with
        begin(Path(path))

    settings = Settings()
    with listen(settings.host, int(port)) as listener:
        run_one(settings, listener, announce)


class Sampled:
    """An application that measures from its lifespan on."""

    def __init__(self, app: ASGIApp, path: Path) -> None:
        self.app = app
        self.path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            begin(self.path)
        await self.app(scope, receive, send)


def begin(path: Path) -> None:
    sampling.add(asyncio.create_task(sample(path), name="lag sampler"))


async def sample(path: Path) -> None:
    """Write lines until cancelled."""
    while True:
        late = await lateness(EVERY)
        with path.open("a") as file:  # one short write a second
            file.write(json.dumps({"at": time.time(), "late": late}) + "\n")


if __name__ == "__main__":
    main()
