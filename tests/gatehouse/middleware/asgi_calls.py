"""ASGI applications that middleware can surround, and calls of them."""

import asyncio
from typing import Any

import httpx
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatehouse.web.request_state import KEY, RequestState, state_of


async def fine(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the request's id."""
    await PlainTextResponse(state_of(scope).id)(scope, receive, send)


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise ValueError("a secret")


def client_of(app: ASGIApp) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


def request_scope(**changes: Any) -> Scope:
    return {
        "type": "http",
        "method": "POST",
        "path": "/x",
        "headers": [],
        "state": {KEY: RequestState("r")},
        **changes,
    }


async def sent_by(app: ASGIApp, scope: Scope, *received: Message) -> list[Message]:
    """Return what an application sends when it receives these messages, and then nothing more."""
    pending, sent = list(received), []

    async def receive() -> Message:
        if not pending:
            await asyncio.Event().wait()
        return pending.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent
