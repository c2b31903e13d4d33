"""Answers what is asked of the run API most without FastAPI's dependencies and validation around it.

What is well formed is answered by the same functions as the routes; everything else is left to the routes,
which say what is wrong with it.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gatehouse.auth.browser.origin import media_type
from gatehouse.web.dependencies import principal_of
from gatehouse.web.middleware.short_routes import Answer
from gatehouse.web.paths import Operation
from gatehouse.wires.questions import ChatRequest
from gatehouse.wires.run_api.models import ChatResponse
from gatehouse.wires.run_api.routes import KEY_CHARACTERS, chat, chat_stream, plain_stream

Asked = Callable[[Request, Any, ChatRequest, str | None], Awaitable[ChatResponse | Response]]


def short(asked: Asked) -> Answer:
    """Return what answers a well-formed request as a route does, and leaves any other to it."""

    async def answer(request: Request) -> Response | None:
        key = request.headers.get("idempotency-key")
        body = well_formed(media_type(request), await request.body())
        if body is None or (key is not None and len(key) > KEY_CHARACTERS):
            return None
        answered = await asked(request, principal_of(request), body, key)
        if isinstance(answered, Response):
            return answered
        return Response(answered.model_dump_json(by_alias=True), media_type="application/json")

    return answer


def well_formed(media: str, body: bytes) -> ChatRequest | None:
    """Return what a body asks; None for one that a route would refuse."""
    if media != "application/json":
        return None
    try:
        return ChatRequest.model_validate(json.loads(body))
    except (ValueError, RecursionError):  # what is no JSON, and pydantic's ValidationError
        return None


SHORT_WAYS: dict[Operation, Answer] = {
    ("POST", "/api/chat"): short(chat),
    ("POST", "/api/chat/stream"): short(chat_stream),
    ("POST", "/api/stream"): short(plain_stream),
}
