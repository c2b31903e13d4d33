"""Who calls another server: a token of ours, or what an issuer gives for one."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
from pydantic import ValidationError

from gatehouse.identity.caller import Caller
from gatehouse.settings.mcp import McpServer
from gatehouse.tools.remote.identity import Identity, NoToken

SECRET = "a secret of the two houses alone, long enough"
ALICE, BOB = Caller("acme", "alice", "Alice"), Caller("beta", "bob", "Bob")
URL = "https://crm.example/mcp"


class Issuer:
    """A token endpoint that answers with what it is told to, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.credentials: list[str] = []
        self.answer: tuple[int, Any] = (200, {})

    @contextmanager
    def serving(self) -> Iterator[str]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                issuer.asked.append({name: value for name, (value,) in parse_qs(body).items()})
                issuer.credentials.append(self.headers["authorization"])
                status, said = issuer.answer
                answer = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = Thread(target=server.serve_forever)
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_port}/token"
            finally:
                server.shutdown()
                thread.join()


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def identity(issuer: Issuer) -> Iterator[Identity]:
    with issuer.serving() as endpoint:
        exchange = {"endpoint": endpoint, "client_id": "gatehouse", "client_secret": "pass"}
        known = {"secret": SECRET, "audience": "crm", "scope": "crm:read", "exchange": exchange}
        server = McpServer.model_validate({"url": URL, "tools": ["*"], **known})
        yield Identity(server, "https://gatehouse.example")


def given(token: str, seconds: float = 300, **more: str) -> tuple[int, Any]:
    return 200, {"access_token": token, "token_type": "Bearer", "expires_in": seconds, **more}


async def test_a_token_of_ours_is_for_that_server_alone() -> None:
    server = McpServer.model_validate({"url": URL, "tools": ["*"], "secret": SECRET})
    header = (await Identity(server, "gatehouse").headers(ALICE))["authorization"]
    claims = jwt.decode(header.removeprefix("Bearer "), SECRET, ["HS256"], audience=URL, issuer="gatehouse")
    assert (claims["sub"], claims["tenant_id"]) == ("alice", "acme")
    assert claims["exp"] - claims["iat"] == 60


async def test_a_server_without_a_secret_is_told_nothing() -> None:
    server = McpServer.model_validate({"url": URL, "tools": ["*"]})
    assert await Identity(server, "gatehouse").headers(ALICE) == {}


@pytest.mark.requirement("mcp.used.identity")
class TestExchange:
    async def test_asks_the_issuer_for_a_token_for_the_caller(
        self, issuer: Issuer, identity: Identity
    ) -> None:
        issuer.answer = given("theirs")
        assert await identity.headers(ALICE) == {"authorization": "Bearer theirs"}
        (asked,) = issuer.asked
        assert asked.pop("grant_type") == "urn:ietf:params:oauth:grant-type:token-exchange"
        claims = jwt.decode(asked.pop("subject_token"), SECRET, ["HS256"], options={"verify_aud": False})
        assert (claims["sub"], claims["aud"].endswith("/token")) == ("alice", True)
        assert asked == {
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "resource": URL,
            "audience": "crm",
            "scope": "crm:read",
        }
        assert issuer.credentials == [f"Basic {base64.b64encode(b'gatehouse:pass').decode()}"]

    async def test_is_made_once_for_a_caller_while_its_token_holds(
        self, issuer: Issuer, identity: Identity
    ) -> None:
        issuer.answer = given("for alice")
        first = [await identity.headers(ALICE) for _ in range(2)]
        issuer.answer = given("for bob")
        assert await identity.headers(BOB) == {"authorization": "Bearer for bob"}
        assert [*first, await identity.headers(ALICE)] == [{"authorization": "Bearer for alice"}] * 3
        assert len(issuer.asked) == 2

    async def test_is_made_for_each_tenant_s_user_of_a_name(self, issuer: Issuer, identity: Identity) -> None:
        for tenant in ("acme", "beta"):
            issuer.answer = given(f"for {tenant}")
            told = await identity.headers(replace(ALICE, tenant_id=tenant))
            assert told == {"authorization": f"Bearer for {tenant}"}

    @pytest.mark.parametrize("seconds", [0, 29])
    async def test_is_made_again_when_its_token_is_about_to_end(
        self, issuer: Issuer, identity: Identity, seconds: int
    ) -> None:
        issuer.answer = given("short", seconds)
        for _ in range(2):
            await identity.headers(ALICE)
        assert len(issuer.asked) == 2

    @pytest.mark.parametrize(
        "answer",
        [
            (400, {"error": "invalid_grant", "error_description": "a secret"}),
            (302, {}),
            (200, {}),
            (200, ["a secret"]),
            given("", 1),
            given("t", token_type="N_A"),
        ],
    )
    async def test_that_fails_says_so_and_quotes_nothing(
        self, issuer: Issuer, identity: Identity, answer: tuple[int, Any]
    ) -> None:
        issuer.answer = answer
        with pytest.raises(NoToken) as refused:
            await identity.headers(ALICE)
        assert "secret" not in str(refused.value)

    def test_needs_a_secret(self) -> None:
        exchange = {"endpoint": "https://a.example", "client_id": "g", "client_secret": "s"}
        with pytest.raises(ValidationError, match="exchange needs a secret"):
            McpServer.model_validate({"url": URL, "tools": ["*"], "exchange": exchange})
