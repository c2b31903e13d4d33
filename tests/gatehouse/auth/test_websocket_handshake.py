"""A handshake over a real server and a real client: what is refused is refused before it is accepted."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from auth_app import Served
from auth_settings import PARTNER
from signed_tokens import token
from starlette.requests import HTTPConnection
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from gatehouse.auth.api_keys.store import CreatedKey
from gatehouse.auth.authenticator import Authenticator
from gatehouse.auth.credentials import SUBPROTOCOL
from gatehouse.problems.errors import Forbidden

OURS = "http://localhost"


@pytest.fixture
async def address(served: Served) -> AsyncIterator[str]:
    """The host and port of a server that runs as long as the test."""
    config = uvicorn.Config(served.app, port=0, lifespan="off", log_config=None, ws="websockets-sansio")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"localhost:{port}"
    server.should_exit = True
    await task


async def greeting(
    address: str, headers: dict[str, str] | None = None, offered: Any = None
) -> dict[str, Any]:
    """Return what an accepted socket says first."""
    origin: Any = (headers or {}).pop("origin", None)
    async with connect(
        f"ws://{address}/ws", additional_headers=headers, origin=origin, subprotocols=offered, proxy=None
    ) as socket:
        return {**json.loads(await socket.recv()), "selected": socket.subprotocol}


async def refusal(address: str, headers: dict[str, str] | None = None, offered: Any = None) -> int:
    """Return the status that the handshake is refused with."""
    with pytest.raises(InvalidStatus) as caught:
        await greeting(address, headers, offered)
    assert json.loads(caught.value.response.body)["status"] == caught.value.response.status_code
    return caught.value.response.status_code


def offering(text: str) -> list[Subprotocol]:
    encoded = base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
    return [Subprotocol(SUBPROTOCOL + encoded), Subprotocol("run")]


@pytest.fixture
async def cookie(authenticator: Authenticator, alice: CreatedKey) -> str:
    opened = await authenticator.sessions.open(await authenticator.accept(alice.key))
    return f"gatehouse={opened.token}"


class TestHandshake:
    async def test_without_credential_is_refused(self, address: str, served: Served) -> None:
        assert await refusal(address) == 401
        assert await refusal(address, {"origin": f"http://{address}"}) == 401
        assert served.reached == []

    async def test_with_a_header_is_accepted(self, address: str, alice: CreatedKey) -> None:
        assert (await greeting(address, {"x-api-key": alice.key}))["user"] == "alice"
        assert (await greeting(address, {"authorization": f"Bearer {token()}"}))["user"] == "alice"

    async def test_with_a_bad_credential_is_refused(self, address: str, served: Served) -> None:
        assert await refusal(address, {"x-api-key": "x"}) == 401
        assert await refusal(address, {"authorization": f"Bearer {token(exp=1)}"}) == 401
        assert await refusal(address, {"cookie": "gatehouse=x", "origin": f"http://{address}"}) == 401
        assert served.reached == []

    async def test_with_two_credentials_is_refused(self, address: str, cookie: str) -> None:
        headers = {"cookie": cookie, "origin": f"http://{address}", "authorization": f"Bearer {token()}"}
        assert await refusal(address, headers) == 400


class TestHandshakeWithCookie:
    async def test_from_our_own_page_is_accepted(self, address: str, cookie: str) -> None:
        assert (await greeting(address, {"cookie": cookie, "origin": f"http://{address}"}))["user"] == "alice"

    async def test_from_an_allowed_origin_is_accepted(self, address: str, cookie: str) -> None:
        assert (await greeting(address, {"cookie": cookie, "origin": PARTNER}))["user"] == "alice"

    @pytest.mark.parametrize(
        "origin",
        [
            "https://evil.example",
            "null",
            "http://localhost",
            "https://{address}",
            "http://{address}.evil",
            "",
        ],
    )
    async def test_from_another_origin_is_refused(
        self, address: str, served: Served, cookie: str, origin: str
    ) -> None:
        assert await refusal(address, {"cookie": cookie, "origin": origin.format(address=address)}) == 403
        assert served.reached == []

    async def test_without_origin_is_refused(self, address: str, served: Served, cookie: str) -> None:
        assert await refusal(address, {"cookie": cookie}) == 403
        assert served.reached == []

    @pytest.mark.parametrize(
        ("origins", "taken"),
        [((), False), ((OURS,), True), ((OURS, "https://evil.example"), False), ((OURS, OURS), False)],
    )
    @pytest.mark.parametrize("ticket", [False, True])
    async def test_with_or_without_its_ticket_names_our_origin_once(
        self, authenticator: Authenticator, cookie: str, origins: tuple[str, ...], taken: bool, ticket: bool
    ) -> None:
        """A page of another site has no ticket, but may have been given one: the browser adds the cookie."""
        headers = [(b"host", b"localhost"), (b"cookie", cookie.encode())]
        scope = {
            "type": "websocket", "scheme": "ws", "path": "/ws/chat/", "query_string": b"", "subprotocols": [],
            "headers": [*headers, *((b"origin", origin.encode()) for origin in origins)],
        }  # fmt: skip
        if ticket:
            session = await authenticator.sessions.find(cookie.removeprefix("gatehouse="))
            assert session is not None
            issued = await authenticator.tickets.issue(session.principal, "/ws/chat/")
            scope["query_string"] = f"ticket={issued}".encode()
        if taken:
            assert (await authenticator.authenticate(HTTPConnection(scope))).user_id == "alice"
        else:
            with pytest.raises(Forbidden):
                await authenticator.authenticate(HTTPConnection(scope))


class TestHandshakeWithSubprotocol:
    async def test_takes_the_token_and_does_not_echo_it(self, address: str) -> None:
        said = await greeting(address, {"origin": f"http://{address}"}, offering(token()))
        assert said == {"user": "alice", "offered": ["run"], "selected": "run"}

    @pytest.mark.parametrize("text", ["", "x", token(exp=1)])
    async def test_with_a_bad_token_is_refused(self, address: str, text: str) -> None:
        assert await refusal(address, offered=offering(text)) == 401

    async def test_that_is_no_base64_is_refused(self, address: str) -> None:
        assert await refusal(address, offered=[Subprotocol(SUBPROTOCOL + "a")]) == 401

    async def test_is_not_for_api_keys(self, address: str, alice: CreatedKey) -> None:
        assert await refusal(address, offered=offering(alice.key)) == 401

    async def test_from_a_page_of_another_site_is_refused(self, address: str) -> None:
        assert await refusal(address, {"origin": "https://evil.example"}, offering(token())) == 403

    async def test_beside_a_header_is_refused(self, address: str) -> None:
        assert await refusal(address, {"authorization": f"Bearer {token()}"}, offering(token())) == 400


class TestServerWithoutTheResponseExtension:
    async def test_closes_instead_of_answering(self, served: Served) -> None:
        sent = []

        async def receive() -> dict[str, str]:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "websocket", "scheme": "ws", "path": "/ws", "query_string": b"", "headers": [],
            "root_path": "", "subprotocols": [],
        }  # fmt: skip
        await served.app(scope, receive, send)
        assert [(message["type"], message["code"]) for message in sent] == [("websocket.close", 4401)]
