"""MCP's own client signs its user in, who has told it the address of `/mcp` and nothing else.

As Claude's connectors do it: a 401 names the metadata, which names the issuer, where the client registers itself and
sends the user, and with whose token it comes back.
"""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from live_server import LiveServer, free_port, running_server
from mcp.client import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)
from oidc_provider import Browser, OidcProvider, running_provider
from pydantic import AnyUrl

CALLBACK = "http://127.0.0.1:3118/callback"
ABOUT = OAuthClientMetadata(client_name="An assistant", redirect_uris=[AnyUrl(CALLBACK)])


class Kept:
    """What the client keeps of a server: nothing at first."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


class Person:
    """Somebody with a browser, who is sent to the issuer and comes back with a code."""

    def __init__(self, user: str) -> None:
        self.user = user
        self.asked = ""  # the scopes
        self.answer: dict[str, str] = {}

    async def sign_in(self, url: str) -> None:
        self.asked = parse_qs(urlsplit(url).query)["scope"][0]
        with Browser() as browser:
            back = browser.sign_in(url, self.user, stop=CALLBACK).headers["location"]
        self.answer = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}

    async def came_back(self) -> AuthorizationCodeResult:
        return AuthorizationCodeResult(**{name: self.answer.get(name) for name in ("code", "state", "iss")})


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcProvider]:
    with running_provider() as provider:
        yield provider


@pytest.fixture(scope="module")
def gatehouse(provider: OidcProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with running_server(
        tmp_path_factory.mktemp("mcp"),
        GATEHOUSE_ISSUER=provider.url,
        GATEHOUSE_JWT_SECRET="",
        GATEHOUSE_CLAIM_TENANT_ID="https://gatehouse.test/tenant",
    ) as server:
        provider.set_up(server.url)
        yield server


@pytest.mark.requirement("mcp.resource")
async def test_a_token_for_the_resource_alone_opens_nothing_else(
    provider: OidcProvider, tmp_path: Path
) -> None:
    port = free_port()
    variables = {
        "PORT": str(port),
        "GATEHOUSE_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "GATEHOUSE_ISSUER": provider.url,
        "GATEHOUSE_JWT_SECRET": "",
        "GATEHOUSE_CLAIM_TENANT_ID": "https://gatehouse.test/tenant",
    }
    with running_server(tmp_path, **variables) as server:
        provider.set_up(server.url, narrow=True)
        alice, kept, url = Person("alice"), Kept(), f"{server.url}/mcp"
        auth = OAuthClientProvider(url, ABOUT, kept, alice.sign_in, alice.came_back)
        async with (
            httpx2.AsyncClient(auth=auth, timeout=60) as http,
            Client(streamable_http_client(url, http_client=http)) as mcp,
        ):
            assert [tool.name for tool in (await mcp.list_tools()).tools] == ["agent"]
        assert kept.tokens is not None
        token = {"authorization": f"Bearer {kept.tokens.access_token}"}
        async with httpx2.AsyncClient(headers=token) as http:
            assert (await http.get(f"{server.url}/api/me")).status_code == 401


@pytest.mark.requirement("mcp.auth")
async def test_a_client_that_knows_an_address_alone_signs_its_user_in(gatehouse: LiveServer) -> None:
    alice, kept, url = Person("alice"), Kept(), f"{gatehouse.url}/mcp"
    auth = OAuthClientProvider(url, ABOUT, kept, alice.sign_in, alice.came_back)
    async with (
        httpx2.AsyncClient(auth=auth, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http)) as mcp,
    ):
        assert [tool.name for tool in (await mcp.list_tools()).tools] == ["agent"]
        result = await mcp.call_tool("agent", {"query": "[say Bonds are loans.]"})
        me = (await http.get(f"{gatehouse.url}/api/me")).raise_for_status().json()
    assert result.content[0].text == "Bonds are loans."  # type: ignore[union-attr]  # it is a text
    assert "runnable:agent" in alice.asked.split()  # and offline_access, where the issuer has it
    assert (me["user_id"], me["tenant_id"]) == ("alice", "acme")
