"""The issuer's document: believed only when it is the issuer's own, and used for an hour."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import jwt
import pytest
from auth_settings import MakeSettings
from publisher import KEY, Publisher, document, hang_up, keys, publishing, text
from signed_tokens import good_claims

from gatehouse.auth.configuration import BadConfiguration
from gatehouse.auth.tokens import remote_issuer
from gatehouse.auth.tokens.access import access_tokens
from gatehouse.auth.tokens.discovery import PATH
from gatehouse.auth.tokens.issuer_http import IssuerHttp, IssuerUnreachable, client_options
from gatehouse.auth.tokens.issuer_keys import open_issuer
from gatehouse.auth.tokens.remote_issuer import RemoteIssuer


@pytest.fixture
async def publisher() -> AsyncIterator[Publisher]:
    async with publishing() as publisher:
        publisher.answers["/keys"] = document(keys(one=KEY))
        publisher.answers[PATH] = document(about(publisher))
        yield publisher


@pytest.fixture
async def http() -> AsyncIterator[IssuerHttp]:
    async with httpx2.AsyncClient(**client_options()) as client:
        yield IssuerHttp(client, https_only=False)


def about(publisher: Publisher, **changes: Any) -> dict[str, Any]:
    return {
        "issuer": publisher.url,
        "jwks_uri": f"{publisher.url}/keys",
        "authorization_endpoint": f"{publisher.url}/authorize",
        "token_endpoint": f"{publisher.url}/token",
        "scopes_supported": ["openid"],
        **changes,
    }


class TestDocument:
    async def test_says_where_the_keys_are(self, publisher: Publisher, http: IssuerHttp) -> None:
        fetched = await RemoteIssuer(http, publisher.url, None, ()).fetch_keys()
        assert [key.kid for key in fetched.keys.keys] == ["one"]

    async def test_of_an_issuer_with_a_slash_has_one_slash(
        self, publisher: Publisher, http: IssuerHttp
    ) -> None:
        issuer = f"{publisher.url}/"
        publisher.answers[PATH] = document(about(publisher, issuer=issuer))
        assert (await RemoteIssuer(http, issuer, None, ()).metadata()).issuer == issuer

    @pytest.mark.parametrize("suffix", ["/", "/other", "x"])
    async def test_of_another_issuer_is_refused(
        self, publisher: Publisher, http: IssuerHttp, suffix: str
    ) -> None:
        publisher.answers[PATH] = document(about(publisher, issuer=publisher.url + suffix))
        with pytest.raises(IssuerUnreachable, match="equal to the letter"):
            await RemoteIssuer(http, publisher.url, None, ()).metadata()

    @pytest.mark.parametrize(
        "changes",
        [{"jwks_uri": None}, {"jwks_uri": 5}, {"issuer": None}, {"token_endpoint": ["a"]},
         {"jwks_uri": "file:///etc/passwd"}, {"authorization_endpoint": "javascript:alert(1)"},
         {"token_endpoint": "//evil"}, {"end_session_endpoint": "data:text/html,x"}],
    )  # fmt: skip
    async def test_that_cannot_be_used_is_refused(
        self, publisher: Publisher, http: IssuerHttp, changes: dict[str, Any]
    ) -> None:
        publisher.answers[PATH] = document(about(publisher, **changes))
        with pytest.raises(IssuerUnreachable):
            await RemoteIssuer(http, publisher.url, None, ()).metadata()

    @pytest.mark.parametrize("body", ["", "[]", "null", "<html>", "{", "\xff", "[" * 10_000])
    async def test_that_is_none_is_refused(self, publisher: Publisher, http: IssuerHttp, body: str) -> None:
        publisher.answers[PATH] = text(body)
        with pytest.raises(IssuerUnreachable, match="not an issuer's document"):
            await RemoteIssuer(http, publisher.url, None, ()).metadata()

    async def test_names_https_urls_only_outside_development(self, publisher: Publisher) -> None:
        async with httpx2.AsyncClient(**client_options()) as client:
            remote = RemoteIssuer(IssuerHttp(client, https_only=True), publisher.url, None, ())
            with pytest.raises(IssuerUnreachable, match="https://"):
                await remote.metadata()


class TestMemory:
    async def test_asks_once_for_everybody(self, publisher: Publisher, http: IssuerHttp) -> None:
        remote = RemoteIssuer(http, publisher.url, None, ())
        await asyncio.gather(*(remote.metadata() for _ in range(100)))
        assert publisher.requests == [PATH]

    async def test_keeps_the_document_while_the_issuer_is_down(
        self, publisher: Publisher, http: IssuerHttp, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        remote = RemoteIssuer(http, publisher.url, None, ())
        before = await remote.metadata()
        monkeypatch.setattr(remote_issuer, "METADATA_SECONDS", 0)
        publisher.answers[PATH] = hang_up
        assert await remote.metadata() == before
        assert len(publisher.requests) == 2

    async def test_asks_an_issuer_that_is_down_once_for_everybody(
        self, publisher: Publisher, http: IssuerHttp, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(remote_issuer, "FAILURE_SECONDS", 3600)
        publisher.answers[PATH] = hang_up
        remote = RemoteIssuer(http, publisher.url, None, ())
        answers = await asyncio.gather(*(remote.metadata() for _ in range(50)), return_exceptions=True)
        assert {type(answer) for answer in answers} == {IssuerUnreachable}
        assert publisher.requests == [PATH]

    async def test_asks_again_when_it_recovered(
        self, publisher: Publisher, http: IssuerHttp, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(remote_issuer, "FAILURE_SECONDS", 0)
        remote = RemoteIssuer(http, publisher.url, None, ())
        good, publisher.answers[PATH] = publisher.answers[PATH], hang_up
        with pytest.raises(IssuerUnreachable):
            await remote.metadata()
        publisher.answers[PATH] = good
        assert (await remote.metadata()).issuer == publisher.url


class TestOpenIssuer:
    async def test_discovers_the_keys_when_only_the_issuer_is_set(
        self, publisher: Publisher, make_settings: MakeSettings
    ) -> None:
        settings = make_settings(issuer=publisher.url)
        async with open_issuer(settings) as issuer:
            await ready(issuer)
            text = jwt.encode(good_claims(iss=publisher.url), KEY, "ES256", {"kid": "one"})
            assert (await access_tokens(settings, issuer).verify(text)).user_id == "alice"

    async def test_asks_the_url_that_is_set_and_no_document(
        self, publisher: Publisher, make_settings: MakeSettings
    ) -> None:
        async with open_issuer(make_settings(jwks_url=f"{publisher.url}/keys")) as issuer:
            await ready(issuer)
        assert publisher.requests == ["/keys"]

    async def test_opens_at_once_though_the_issuer_is_down(
        self, publisher: Publisher, make_settings: MakeSettings
    ) -> None:
        publisher.answers.clear()
        async with open_issuer(make_settings(issuer=publisher.url)) as issuer:
            assert not issuer.keys.ready

    async def test_fetches_nothing_when_keys_are_given(self, make_settings: MakeSettings) -> None:
        async with open_issuer(make_settings(issuer="https://issuer.example", jwt_secret="s" * 32)) as issuer:
            assert issuer.keys.ready
            assert issuer.remote is None
            assert not await issuer.keys.look_again()

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"jwks_url": "https://a.example", "jwt_secret": "s" * 32}, "JWT_SECRET and GATEHOUSE_JWKS_URL"),
            ({"jwks_url": "https://a.example", "jwks_file": "a"}, "JWKS_FILE and GATEHOUSE_JWKS_URL"),
            ({"jwks_url": "https://a.example", "jwt_algorithms": "RS256,HS256"}, "lists HS256"),
            ({"issuer": "https://a.example", "jwt_algorithms": "HS256"}, "lists HS256"),
        ],
    )
    async def test_refuses_what_cannot_work(
        self, make_settings: MakeSettings, changes: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(BadConfiguration, match=message):
            async with open_issuer(make_settings(**changes)):
                pass


async def ready(issuer: Any) -> None:
    async with asyncio.timeout(20):
        while not issuer.keys.ready:
            await asyncio.sleep(0.01)
