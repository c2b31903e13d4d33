"""What surrounds every request: its id and its line in the log; and how it is refused."""

import json

import pytest
from asgi_calls import broken, client_of, fine, request_scope, sent_by
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from gatehouse.problems.errors import NotFound
from gatehouse.web.middleware.request_context import RequestContext
from gatehouse.web.request_state import KEY, RequestState
from gatehouse.web.sending import ReaderStalled, send_problem


async def broken_within(scope: Scope, receive: Receive, send: Send) -> None:
    """Fail after the head and a part of the body are out."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"part", "more_body": True})
    raise ValueError("a secret")


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

    @pytest.mark.parametrize("path", ["/livez", "/readyz"])
    async def test_a_probe_is_logged_when_it_fails(self, path: str) -> None:
        with capture_logs() as logs:
            async with client_of(RequestContext(fine)) as client:
                await client.get(path)
            async with client_of(RequestContext(broken)) as client:
                await client.get(path)
        assert [(entry["event"], entry["log_level"]) for entry in logs] == [
            ("request", "debug"),
            ("request failed", "error"),
            ("request", "info"),
        ]

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
            raise ReaderStalled

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
            "state": {KEY: RequestState("r")},
            "extensions": {"websocket.http.response": {}},
        }
        sent = await sent_by(refusing, scope)
        assert sent[0]["type"] == "websocket.http.response.start"
        assert sent[0]["status"] == 404
        assert json.loads(sent[1]["body"])["instance"] == "urn:gatehouse:request:r"

    async def test_closes_it_with_a_code_elsewhere(self) -> None:
        scope = {"type": "websocket", "path": "/ws", "headers": [], "state": {KEY: RequestState("r")}}
        assert await sent_by(refusing, scope) == [
            {"type": "websocket.close", "code": 4404, "reason": "not-found"}
        ]


async def refusing(scope: Scope, receive: Receive, send: Send) -> None:
    await send_problem(NotFound(), scope, receive, send)
