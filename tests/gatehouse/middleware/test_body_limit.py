"""A bound to the size of every request's body, and to how long it takes."""

from collections.abc import AsyncIterator

import pytest
from asgi_calls import broken, client_of, request_scope, sent_by
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from gatehouse.web.middleware.body_limit import BodyLimit
from gatehouse.web.middleware.request_context import RequestContext


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the body."""
    body = await Request(scope, receive).body()
    await PlainTextResponse(body)(scope, receive, send)


class TestBodyLimit:
    """Over real HTTP: tests/gatehouse/http/test_bodies.py."""

    @pytest.mark.parametrize("size", [0, 1, 9, 10])
    async def test_a_body_up_to_the_limit_passes(self, size: int) -> None:
        async with client_of(BodyLimit(echo, max_bytes=10, timeout=1)) as client:
            assert (await client.post("/", content=b"x" * size)).text == "x" * size

    @pytest.mark.parametrize("chunked", [True, False])
    async def test_one_over_it_is_a_413(self, chunked: bool) -> None:
        async def parts() -> AsyncIterator[bytes]:
            for _ in range(11):
                yield b"x"

        app = RequestContext(BodyLimit(echo, max_bytes=10, timeout=1))
        async with client_of(app) as client:
            response = await client.post("/", content=parts() if chunked else b"x" * 11)
        assert response.status_code == 413
        assert response.json()["detail"] == "The request body may have 10 bytes."

    @pytest.mark.parametrize("length", [b"-1", b"x", b"1" * 5000, b""])
    async def test_a_length_that_lies_changes_nothing(self, length: bytes) -> None:
        app = RequestContext(BodyLimit(echo, max_bytes=10, timeout=0.2))
        body = {"type": "http.request", "body": b"x" * 11, "more_body": False}
        sent = await sent_by(app, request_scope(headers=[(b"content-length", length)]), body)
        assert sent[0]["status"] == 413

    @pytest.mark.parametrize("more", [True, False])
    async def test_a_connection_ends_with_it_where_more_may_come(self, more: bool) -> None:
        app = RequestContext(BodyLimit(echo, max_bytes=10, timeout=1))
        part = {"type": "http.request", "body": b"x" * 11, "more_body": more}
        last = {"type": "http.request", "body": b"", "more_body": False}
        sent = await sent_by(app, request_scope(), part, last)
        assert sent[0]["status"] == 413
        assert ((b"connection", b"close") in sent[0]["headers"]) is more

    async def test_a_body_that_does_not_come_is_a_408(self) -> None:
        app = RequestContext(BodyLimit(echo, max_bytes=10, timeout=0.05))
        part = {"type": "http.request", "body": b"x", "more_body": True}
        sent = await sent_by(app, request_scope(), part)
        assert sent[0]["status"] == 408
        assert (b"connection", b"close") in sent[0]["headers"]

    async def test_a_client_that_leaves_within_its_body_reaches_nothing(self) -> None:
        app = RequestContext(BodyLimit(broken, max_bytes=10, timeout=1))
        part = {"type": "http.request", "body": b"x", "more_body": True}
        assert await sent_by(app, request_scope(), part, {"type": "http.disconnect"}) == []

    async def test_what_comes_after_the_body_reaches_the_application(self) -> None:
        seen = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            seen.extend([await receive(), await receive()])

        body = {"type": "http.request", "body": b"x", "more_body": False}
        await sent_by(BodyLimit(app, 10, 1), request_scope(), body, {"type": "http.disconnect"})
        assert [message["type"] for message in seen] == ["http.request", "http.disconnect"]

    async def test_what_a_refused_client_still_sends_is_taken_in_before_the_end(self) -> None:
        """Else its connection is reset, and it never reads the answer."""
        part = {"type": "http.request", "body": b"x" * 6, "more_body": True}
        last = {"type": "http.request", "body": b"x", "more_body": False}
        app = RequestContext(BodyLimit(echo, max_bytes=10, timeout=1))
        sent = await sent_by(app, request_scope(), part, part, part, last)
        assert [message.get("more_body") for message in sent] == [None, True, False]
