"""Operations that are answered without the framework's routing."""

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.responses import PlainTextResponse, Response

from gatehouse.web.middleware.short_routes import ShortRoutes


class Refused(Exception):
    """What an answer raises that has a handler."""


async def short(request: Request) -> Response | None:
    body = await request.body()
    if body == b"leave":
        return None
    if body == b"refuse":
        raise Refused
    return PlainTextResponse(f"short: {body.decode()} at {request.scope['route'].path}")


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()

    @app.post("/short")
    async def whole(request: Request) -> str:
        return f"whole: {(await request.body()).decode()} at {request.scope['route'].path}"

    @app.get("/short")
    @app.post("/long")
    async def long() -> str:
        return "long"

    @app.exception_handler(Refused)
    async def refused(_request: Request, _error: Refused) -> Response:
        return PlainTextResponse("refused", 418)

    app.add_middleware(ShortRoutes, answers={("POST", "/short"): short}, handlers=app.exception_handlers)
    return app


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "text"),
    [
        ("POST", "/short", "hello", 200, "short: hello at /short"),
        ("POST", "/short", "refuse", 418, "refused"),
        ("POST", "/short", "leave", 200, '"whole: leave at /short"'),
        ("GET", "/short", "", 200, '"long"'),
        ("POST", "/short/", "", 307, ""),
        ("POST", "/long", "", 200, '"long"'),
        ("PUT", "/short", "", 405, '{"detail":"Method Not Allowed"}'),
    ],
)
async def test_each_is_answered_by_the_one_that_has_it(
    app: FastAPI, method: str, path: str, body: str, status: int, text: str
) -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.request(method, path, content=body)
    assert (answer.status_code, answer.text) == (status, text)
