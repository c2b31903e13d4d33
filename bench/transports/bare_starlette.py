"""The floor: a bare Starlette response of ready-made bytes, no model and no run."""

import asyncio
import re
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

CUES = re.compile(rb"\[delay ([\d.]+)\] \[tokens (\d+)\]")


async def stream(request: Request) -> StreamingResponse:
    cues = CUES.search(await request.body())
    if cues is None:
        raise ValueError("the body has no cues")
    return StreamingResponse(frames(int(cues[2]), float(cues[1])), media_type="text/event-stream")


async def frames(count: int, delay: float) -> AsyncIterator[bytes]:
    for number in range(count):
        if delay:
            await asyncio.sleep(delay)
        yield READY[number]
    yield b'id: 1-9999\nevent: end\ndata: {"content":"","status":"completed","type":"end"}\n\n'


READY = [
    b'id: 1-%d\nevent: token\ndata: {"content":"t%d ","type":"token"}\n\n' % (number + 1, number)
    for number in range(1, 1001)
]
app = Starlette(routes=[Route("/api/chat/stream", stream, methods=["POST"])])
