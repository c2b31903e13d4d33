"""Applications that `test_workers` starts in processes of their own."""

import asyncio
from types import SimpleNamespace

from starlette.types import ASGIApp, Receive, Scope, Send

from gatehouse.problems.draining import Drain
from gatehouse.settings import Settings


async def slow(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer in two parts, 1.5 seconds apart."""
    if scope["type"] == "lifespan":
        await receive()
        runs = SimpleNamespace(drain=Drain(), local=())
        scope["state"]["services"] = SimpleNamespace(runs=runs, settings=Settings(_env_file=None))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"first ", "more_body": True})
    await asyncio.sleep(1.5)
    await send({"type": "http.response.body", "body": b"last"})


def served() -> ASGIApp:
    return slow


def failing() -> ASGIApp:
    async def fail(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "Redis: gone"})

    return fail
