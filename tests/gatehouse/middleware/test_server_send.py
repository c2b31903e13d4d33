"""The parts of a stream go past the layers, but only of the response that was begun."""

from asgi_calls import request_scope, sent_by
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatehouse.web.middleware.request_context import RequestContext
from gatehouse.web.server_send import ServerSend

BEGIN: Message = {"type": "http.response.start", "status": 200, "headers": []}
PART: Message = {"type": "http.response.body", "body": b"part", "more_body": True}


async def streaming(_scope: Scope, _receive: Receive, send: Send) -> None:
    parts = ServerSend(send)
    await send(parts.begins(BEGIN))
    await parts.send(PART)


class Layer:
    """Notes what passes it; `refuses` sends another response in place of what is begun within."""

    def __init__(self, app: ASGIApp, *, refuses: bool = False) -> None:
        self.app = app
        self.refuses = refuses
        self.passed: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def passing(message: Message) -> None:
            self.passed.append(message["type"])
            if not self.refuses:
                await send(message)
            elif message["type"] == "http.response.start":
                await send({"type": "http.response.start", "status": 429, "headers": []})

        await self.app(scope, receive, passing)


async def test_a_part_passes_no_layer() -> None:
    layer = Layer(streaming)
    begin, part = await sent_by(RequestContext(layer), request_scope())
    assert layer.passed == ["http.response.start"]
    assert begin.keys() == BEGIN.keys()
    assert part == PART


async def test_a_part_goes_the_way_of_a_response_that_was_replaced() -> None:
    layer = Layer(streaming, refuses=True)
    (begin,) = await sent_by(RequestContext(layer), request_scope())
    assert begin["status"] == 429
    assert layer.passed == ["http.response.start", "http.response.body"]
