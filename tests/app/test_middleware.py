"""What surrounds every request: its id, its log line, the headers, and a bound to its body."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sse_starlette.sse import SendTimeoutError
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.testing import capture_logs

from app.errors import NotFound
from app.middleware import (
    PLAYGROUND_CSP,
    STRICT_CSP,
    BodyLimit,
    RequestContext,
    SecurityHeaders,
    request_id_of,
    send_problem,
)


async def fine(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the request's id."""
    await PlainTextResponse(request_id_of(scope))(scope, receive, send)


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise ValueError("a secret")


async def broken_within(scope: Scope, receive: Receive, send: Send) -> None:
    """Fail after the head and a part of the body are out."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"part", "more_body": True})
    raise ValueError("a secret")


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the body."""
    body = await Request(scope, receive).body()
    await PlainTextResponse(body)(scope, receive, send)


def client_of(app: ASGIApp) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


def request_scope(**changes: Any) -> Scope:
    return {"type": "http", "method": "POST", "path": "/x", "headers": [], "state": {}, **changes}


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


class TestRequestContext:
    async def test_every_request_has_an_id_of_its_own(self) -> None:
        async with client_of(RequestContext(fine)) as client:
            first, second = await client.get("/"), await client.get("/")
        assert first.headers["x-request-id"] == first.text
        assert first.text != second.text

    async def test_a_client_does_not_choose_it(self) -> None:
        async with client_of(RequestContext(fine)) as client:
            response = await client.get("/", headers={"x-request-id": "mine"})
        assert response.headers.get_list("x-request-id") == [response.text]
        assert response.text != "mine"

    async def test_its_end_is_logged_without_the_query(self) -> None:
        with capture_logs() as logs:
            async with client_of(RequestContext(fine)) as client:
                await client.get("/chat?query=private")
        assert (
            logs[0].items() >= {"event": "request", "method": "GET", "path": "/chat", "status": 200}.items()
        )
        assert "private" not in str(logs)

    async def test_an_exception_is_a_bare_500_and_in_the_log(self) -> None:
        with capture_logs() as logs:
            async with client_of(RequestContext(broken)) as client:
                response = await client.get("/")
        assert response.status_code == 500
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["instance"].endswith(response.headers["x-request-id"])
        assert "secret" not in response.text
        assert [(entry["event"], entry["log_level"]) for entry in logs] == [
            ("request failed", "error"),
            ("request", "info"),
        ]

    async def test_an_exception_after_the_head_sends_nothing_more(self) -> None:
        sent = await sent_by(RequestContext(broken_within), request_scope())
        assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]

    async def test_a_reader_that_was_cut_is_no_failure_of_ours(self) -> None:
        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            raise SendTimeoutError

        with capture_logs() as logs:
            await sent_by(RequestContext(slow), request_scope())
        assert [(entry["event"], entry["log_level"]) for entry in logs] == [
            ("reader cut", "info"),
            ("request", "info"),
        ]

    async def test_a_lifespan_passes_as_it_is(self) -> None:
        seen = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            seen.append(scope)

        scope = {"type": "lifespan"}
        await sent_by(RequestContext(app), scope)
        assert seen == [{"type": "lifespan"}]

    async def test_a_websocket_is_logged_as_such(self) -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "websocket.accept", "headers": []})

        with capture_logs() as logs:
            await sent_by(RequestContext(app), {"type": "websocket", "path": "/ws", "headers": []})
        assert logs[0].items() >= {"event": "request", "method": "WEBSOCKET", "status": 101}.items()


class TestSendProblem:
    async def test_refuses_a_handshake_with_the_status_where_the_server_can(self) -> None:
        scope = {
            "type": "websocket",
            "path": "/ws",
            "headers": [],
            "state": {"request_id": "r"},
            "extensions": {"websocket.http.response": {}},
        }
        sent = await sent_by(refusing, scope)
        assert sent[0]["type"] == "websocket.http.response.start"
        assert sent[0]["status"] == 404
        assert json.loads(sent[1]["body"])["instance"] == "urn:gatehouse:request:r"

    async def test_closes_it_with_a_code_elsewhere(self) -> None:
        scope = {"type": "websocket", "path": "/ws", "headers": [], "state": {"request_id": "r"}}
        assert await sent_by(refusing, scope) == [
            {"type": "websocket.close", "code": 4404, "reason": "not-found"}
        ]


async def refusing(scope: Scope, receive: Receive, send: Send) -> None:
    await send_problem(NotFound(), scope, receive, send)


class TestSecurityHeaders:
    @pytest.mark.parametrize(
        ("path", "policy"),
        [
            ("/chat/playground/", PLAYGROUND_CSP),
            ("/chat/playground/assets/index.js", PLAYGROUND_CSP),
            ("/chat/playground", STRICT_CSP),
            ("/chat/invoke", STRICT_CSP),
            ("/other/playground/", STRICT_CSP),
            ("/x/chat/playground/", STRICT_CSP),
        ],
    )
    async def test_only_a_playground_has_another_policy(self, path: str, policy: str) -> None:
        app = RequestContext(SecurityHeaders(fine, playgrounds=("/chat/playground/",), https=False))
        async with client_of(app) as client:
            assert (await client.get(path)).headers["content-security-policy"] == policy

    @pytest.mark.parametrize("https", [True, False])
    async def test_https_is_demanded_where_there_is_https(self, https: bool) -> None:
        app = RequestContext(SecurityHeaders(fine, playgrounds=(), https=https))
        async with client_of(app) as client:
            assert ("strict-transport-security" in (await client.get("/")).headers) is https

    async def test_a_page_s_own_policy_counts(self) -> None:
        async def page(scope: Scope, receive: Receive, send: Send) -> None:
            headers = {"content-security-policy": "own", "referrer-policy": "strict-origin"}
            await PlainTextResponse("x", headers=headers)(scope, receive, send)

        app = RequestContext(SecurityHeaders(page, playgrounds=(), https=False))
        async with client_of(app) as client:
            headers = (await client.get("/")).headers
        assert headers["content-security-policy"] == "own"
        assert headers["referrer-policy"] == "strict-origin"

    def test_the_strict_policy_has_no_exception(self) -> None:
        assert "unsafe" not in STRICT_CSP
        assert "*" not in STRICT_CSP
        assert "http" not in STRICT_CSP + PLAYGROUND_CSP


class TestBodyLimit:
    """Over real HTTP: tests/app/serving/test_bodies.py."""

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
