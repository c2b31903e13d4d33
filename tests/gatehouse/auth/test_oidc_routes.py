"""The sign-in routes against an issuer that misbehaves, and where no issuer is configured."""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from auth_app import serve
from auth_settings import PEPPER, MakeSettings
from httpx import ASGITransport, AsyncClient, Response
from publisher import KEY, Answer, Flood, Publisher, document, hang_up, keys, publishing, text
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.auth.authenticator import open_authenticator
from gatehouse.auth.configuration import BadConfiguration
from gatehouse.auth.oidc import client as oidc_client
from gatehouse.auth.oidc.id_token import LOGOUT_EVENT
from gatehouse.auth.oidc.oidc import check_oidc
from gatehouse.auth.tokens.discovery import PATH
from gatehouse.auth.tokens.issuer_keys import open_issuer

Start = Callable[..., Awaitable[AsyncClient]]
WITH_OIDC = {
    "oidc_client_id": "web",
    "oidc_client_secret": "s",
    "tenant_id": "acme",
    "api_key_pepper": PEPPER,
}
OWN = "http://localhost:8000"


@pytest.fixture
async def publisher() -> AsyncIterator[Publisher]:
    async with publishing() as publisher:
        publisher.answers["/keys"] = document(keys(one=KEY))
        publisher.answers[PATH] = document(about(publisher))
        yield publisher


def about(publisher: Publisher, **changes: Any) -> dict[str, Any]:
    named = {
        "issuer": publisher.url,
        "jwks_uri": f"{publisher.url}/keys",
        "authorization_endpoint": f"{publisher.url}/authorize?tenant=1",
        "token_endpoint": f"{publisher.url}/token",
        "end_session_endpoint": f"{publisher.url}/out?a=1",
    }
    return {name: value for name, value in {**named, **changes}.items() if value is not None}


@pytest.fixture
async def start(
    make_settings: MakeSettings, engine: AsyncEngine, redis: Redis, publisher: Publisher
) -> AsyncIterator[Start]:
    async with AsyncExitStack() as stack:

        async def start(**changes: Any) -> AsyncClient:
            settings = make_settings(**{"issuer": publisher.url, **WITH_OIDC, **changes})
            issuer = await stack.enter_async_context(open_issuer(settings))
            await issuer.keys.look_again()  # the first fetch has ended: until then nobody can sign in
            authenticator = await open_authenticator(settings, engine, redis, issuer)
            transport = ASGITransport(serve(settings, authenticator, redis).app)
            return await stack.enter_async_context(AsyncClient(transport=transport, base_url=OWN))

        yield start


async def begin(client: AsyncClient, wanted: str = "/docs") -> dict[str, str]:
    """Begin to sign in and return what the issuer is asked."""
    answer = await client.get("/auth/login", params={"next": wanted})
    assert answer.status_code == 303, answer.text
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


async def finish(client: AsyncClient, publisher: Publisher, **claims: Any) -> Response:
    """Sign in, with the issuer's ID token changed like this."""
    asked = await begin(client)
    publisher.answers["/token"] = document({
        "access_token": "x", "token_type": "Bearer", "id_token": id_token(publisher, asked["nonce"], **claims),
    })  # fmt: skip
    return await client.get("/auth/callback", params={"state": asked["state"], "code": "c"})


def id_token(publisher: Publisher, asked: str, /, **changes: Any) -> str:
    now = int(time.time())
    claims = {"iss": publisher.url, "aud": "web", "sub": "alice", "iat": now, "exp": now + 60, "nonce": asked}
    return jwt.encode({**claims, **changes}, KEY, "ES256", {"kid": "one"})


class TestSignIn:
    async def test_opens_a_session_that_outlives_the_id_token(
        self, start: Start, publisher: Publisher
    ) -> None:
        client = await start(session_lifetime=5000)
        answer = await finish(client, publisher)
        assert (answer.status_code, answer.headers["location"]) == (303, "/docs")
        assert answer.headers["cache-control"] == "no-store"
        assert (
            "max-age=5000" in answer.headers["set-cookie"].lower() or "4999" in answer.headers["set-cookie"]
        )
        assert (await client.get("/x")).json() == {"user": "alice", "credential": "session"}

    async def test_keeps_the_query_that_the_endpoint_has(self, start: Start) -> None:
        asked = await begin(await start())
        assert (asked["tenant"], asked["client_id"], asked["response_type"]) == ("1", "web", "code")

    async def test_begun_too_often_and_not_finished_has_to_wait(self, start: Start) -> None:
        client = await start(signin_failures=2)
        for _ in range(2):
            await begin(client)
        refused = await client.get("/auth/login")
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) > 0
        assert "sign-ins" in refused.text

    async def test_that_is_finished_counts_for_nothing(self, start: Start, publisher: Publisher) -> None:
        client = await start(signin_failures=2)
        for _ in range(4):
            assert (await finish(client, publisher)).status_code == 303

    async def test_uses_the_public_url_behind_a_proxy(self, start: Start) -> None:
        client = await start(public_url="https://chat.example.com")
        asked = await begin(client)
        assert asked["redirect_uri"] == "https://chat.example.com/auth/callback"

    @pytest.mark.parametrize("wanted", ["//evil.example", "https://evil.example", "/" + "x" * 3000, ""])
    async def test_goes_home_instead_of_elsewhere(
        self, start: Start, publisher: Publisher, wanted: str
    ) -> None:
        client = await start()
        asked = await begin(client, wanted)
        token = id_token(publisher, asked["nonce"])
        publisher.answers["/token"] = document({"access_token": "x", "id_token": token})
        answer = await client.get("/auth/callback", params={"state": asked["state"], "code": "c"})
        assert answer.headers["location"] == "/"

    @pytest.mark.parametrize(
        "claims", [{"aud": "other"}, {"iss": "https://evil.example"}, {"nonce": "other"}, {"sub": ""}, {"exp": 1},
                   {"scope": 5}],
    )  # fmt: skip
    async def test_of_another_s_id_token_is_refused(
        self, start: Start, publisher: Publisher, claims: dict[str, Any]
    ) -> None:
        client = await start()
        answer = await finish(client, publisher, **claims)
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        assert (await client.get("/x")).status_code == 401

    async def test_sends_the_secret_in_the_body_where_the_issuer_takes_it_there_only(
        self, start: Start, publisher: Publisher
    ) -> None:
        changes = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
        publisher.answers[PATH] = document(about(publisher, **changes))
        assert (await finish(await start(), publisher)).status_code == 303

    async def test_needs_no_secret_for_a_public_client(self, start: Start, publisher: Publisher) -> None:
        assert (await finish(await start(oidc_client_secret=None), publisher)).status_code == 303

    async def test_takes_the_keys_of_a_file_too(
        self, start: Start, publisher: Publisher, tmp_path: Path
    ) -> None:
        (tmp_path / "jwks.json").write_text(json.dumps(keys(one=KEY)))
        client = await start(jwks_file=tmp_path / "jwks.json")
        assert (await finish(client, publisher)).status_code == 303
        assert "/keys" not in publisher.requests


class TestAnswer:
    @pytest.mark.parametrize(
        "changes",
        [{"state": "x"}, {"state": ""}, {"iss": "https://evil.example"}, {"error": "access_denied"},
         {"code": ""}, {"code": "c" * 5000}],
        ids=["unknown state", "no state", "mixed up", "given up", "no code", "long code"],
    )  # fmt: skip
    async def test_that_is_not_the_issuer_s_is_refused_before_a_code_is_sent(
        self, start: Start, publisher: Publisher, changes: dict[str, str]
    ) -> None:
        client = await start()
        asked = await begin(client)
        refused = await client.get("/auth/callback", params={"state": asked["state"], "code": "c", **changes})
        assert refused.status_code == 401
        assert "/token" not in publisher.requests

    async def test_without_iss_is_refused_where_the_issuer_sends_one(
        self, start: Start, publisher: Publisher
    ) -> None:
        changes = {"authorization_response_iss_parameter_supported": True}
        publisher.answers[PATH] = document(about(publisher, **changes))
        assert (await finish(await start(), publisher)).status_code == 401


class TestIssuerThatFails:
    @pytest.mark.parametrize(
        ("answer", "status"),
        [
            (text("oops", 500), 503),
            (text("<html>", 200), 503),
            (text("", 302, location="/elsewhere"), 503),
            (text("[]", 200), 503),
            (document({"access_token": "x"}), 503),
            (document({"access_token": "x", "id_token": 5}), 503),
            (text(json.dumps({"error": "invalid_grant"}), 400), 401),
            (text(json.dumps({"error": "invalid_client"}), 401), 401),
            (text("rate limited", 429), 503),
            (hang_up, 503),
            (Flood(), 503),
        ],
    )
    async def test_at_the_token_endpoint_shows_the_page_again(
        self, start: Start, publisher: Publisher, answer: Answer, status: int
    ) -> None:
        client = await start()
        asked = await begin(client)
        publisher.answers["/token"] = answer
        page = await client.get("/auth/callback", params={"state": asked["state"], "code": "c"})
        assert page.status_code == status
        assert 'role="alert"' in page.text
        assert 'href="/auth/login?next=/"' in page.text
        assert "/elsewhere" not in publisher.requests

    async def test_by_not_answering_is_given_up(
        self, start: Start, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = await start()
        asked = await begin(client)
        monkeypatch.setattr(oidc_client, "SECONDS", 0.1)
        page = await client.get("/auth/callback", params={"state": asked["state"], "code": "c"})
        assert page.status_code == 503

    @pytest.mark.parametrize("missing", ["authorization_endpoint", "token_endpoint"])
    async def test_to_name_its_endpoints_cannot_be_signed_in_at(
        self, start: Start, publisher: Publisher, missing: str
    ) -> None:
        publisher.answers[PATH] = document(about(publisher, **{missing: None}))
        page = await (await start()).get("/auth/login?next=/docs")
        assert page.status_code == 503
        assert "127.0.0.1 does not answer now" in page.text

    async def test_altogether_leaves_the_other_ways_to_sign_in(
        self, start: Start, publisher: Publisher
    ) -> None:
        publisher.answers.clear()
        client = await start()
        page = await client.get("/auth/login?next=/docs")
        assert page.status_code == 503
        assert 'name="credential"' in page.text
        assert 'name="next" value="/docs"' in page.text


class TestSignOut:
    async def test_goes_on_to_the_issuer(self, start: Start, publisher: Publisher) -> None:
        client = await start()
        await finish(client, publisher)
        page = await client.post("/auth/signout", headers={"sec-fetch-site": "same-origin"})
        assert f'content="0;url={publisher.url}/out?a=1&amp;id_token_hint=ey' in page.text
        assert "post_logout_redirect_uri=http%3A%2F%2Flocalhost%3A8000%2Fsignin" in page.text
        assert page.headers["cache-control"] == "no-store"
        assert (await client.get("/x")).status_code == 401

    async def test_ends_here_on_a_replica_that_cannot_ask_the_issuer(
        self, start: Start, publisher: Publisher
    ) -> None:
        client, other = await start(), await start()
        await finish(client, publisher)
        publisher.answers.clear()
        cut_off = await start()
        cut_off.cookies = client.cookies
        page = await cut_off.post("/auth/signout", headers={"sec-fetch-site": "same-origin"})
        assert (page.status_code, page.headers["location"]) == (303, "/signin")
        other.cookies = client.cookies
        assert (await other.get("/x")).status_code == 401

    async def test_ends_here_when_the_issuer_has_no_such_page(
        self, start: Start, publisher: Publisher
    ) -> None:
        publisher.answers[PATH] = document(about(publisher, end_session_endpoint=None))
        client = await start()
        await finish(client, publisher)
        page = await client.post("/auth/signout", headers={"sec-fetch-site": "same-origin"})
        assert (page.status_code, page.headers["location"]) == (303, "/signin")
        assert (await client.get("/x")).status_code == 401


class TestBackChannel:
    async def test_ends_the_session(self, start: Start, publisher: Publisher) -> None:
        client = await start()
        await finish(client, publisher, sid="s1")
        now = int(time.time())
        claims = {"iss": publisher.url, "aud": "web", "sid": "s1", "iat": now, "exp": now + 60, "jti": "1"}
        text = jwt.encode({**claims, "events": {LOGOUT_EVENT: {}}}, KEY, "ES256", {"kid": "one"})
        answers = [await client.post("/auth/backchannel-logout", data={"logout_token": text}) for _ in "ab"]
        assert [answer.status_code for answer in answers] == [200, 400]
        assert answers[0].headers["cache-control"] == "no-store"
        assert (await client.get("/x")).status_code == 401

    @pytest.mark.parametrize(
        ("body", "kind", "status"),
        [
            ({"logout_token": "x.y.z"}, None, 400),
            ({"logout_token": ""}, None, 400),
            ({}, None, 400),
            ({"logout_token": ["a", "b"]}, None, 400),
            ({"other": "x"}, None, 400),
            ({}, "application/json", 415),
            ({}, "multipart/form-data; boundary=x", 415),
        ],
    )
    async def test_with_a_bad_token_is_a_bad_request(
        self, start: Start, body: dict[str, Any], kind: str | None, status: int
    ) -> None:
        client = await start()
        headers = {"content-type": kind or "application/x-www-form-urlencoded"}
        answer = await client.post("/auth/backchannel-logout", data=body, headers=headers)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert "www-authenticate" not in answer.headers


class TestWithoutIssuer:
    @pytest.mark.parametrize(
        ("method", "path"),
        [("GET", "/auth/login"), ("GET", "/auth/callback"), ("POST", "/auth/backchannel-logout")],
    )
    async def test_there_is_nothing(self, client: AsyncClient, method: str, path: str) -> None:
        assert (await client.request(method, path)).status_code == 404

    async def test_the_page_does_not_offer_it(self, client: AsyncClient) -> None:
        assert "/auth/login" not in (await client.get("/signin")).text


class TestSettings:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"issuer": "gatehouse"}, "needs an https:// GATEHOUSE_ISSUER"),
            ({"jwt_secret": "s" * 32}, "unset the secret"),
            ({"audience": "web"}, "GATEHOUSE_AUDIENCE is the GATEHOUSE_OIDC_CLIENT_ID"),
            ({"oidc_scopes": "profile"}, "GATEHOUSE_OIDC_SCOPES needs openid"),
        ],
    )
    def test_that_cannot_work_are_refused(
        self, make_settings: MakeSettings, changes: dict[str, Any], message: str
    ) -> None:
        settings = make_settings(**{"issuer": "https://issuer.example", **WITH_OIDC, **changes})
        with pytest.raises(BadConfiguration, match=message):
            check_oidc(settings, "web")

    def test_with_cognito_s_audience_may_be_one_client(self, make_settings: MakeSettings) -> None:
        changes = {"issuer": "https://issuer.example", "audience": "web"}
        with pytest.raises(BadConfiguration, match="GATEHOUSE_AUDIENCE"):
            check_oidc(make_settings(**WITH_OIDC, **changes), "web")
        check_oidc(make_settings(**WITH_OIDC, **changes, claim_audience="client_id"), "web")
