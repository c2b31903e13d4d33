import asyncio
import time
from typing import Any
from urllib.parse import unquote

import pytest
from auth_app import METHODS, Served
from auth_settings import PARTNER, MakeSettings
from httpx import ASGITransport, AsyncClient, Response
from redis.asyncio import Redis
from signed_tokens import token
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.auth.api_keys.store import ApiKeys, CreatedKey
from gatehouse.auth.authenticator import open_authenticator
from gatehouse.auth.configuration import BadConfiguration
from gatehouse.main import PATHS

SAME_ORIGIN = {"sec-fetch-site": "same-origin"}
JSON = {"content-type": "application/json"}
NAVIGATION = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8", "sec-fetch-mode": "navigate"}


def bearer(text: str) -> dict[str, str]:
    return {"authorization": f"Bearer {text}"}


def is_refused(response: Response, served: Served) -> bool:
    return (
        response.status_code == 401
        and response.headers["content-type"] == "application/problem+json"
        and served.reached == []
    )


@pytest.fixture
async def cookie(client: AsyncClient, alice: CreatedKey) -> str:
    """The client is signed in; the value is its cookie."""
    response = await client.post("/auth/session", json={"credential": alice.key})
    assert response.status_code == 200
    return client.cookies["gatehouse"]


class TestWithoutCredential:
    @pytest.mark.parametrize("method", METHODS)
    async def test_is_refused_with_a_bare_challenge(
        self, client: AsyncClient, served: Served, method: str
    ) -> None:
        response = await client.request(method, "/agent/invoke")
        assert is_refused(response, served)
        assert response.headers["www-authenticate"] == "Bearer"

    @pytest.mark.parametrize(("method", "path"), sorted(PATHS.public))
    async def test_may_call_what_is_public(
        self, client: AsyncClient, served: Served, method: str, path: str
    ) -> None:
        response = await client.request(method, path)
        if path in ("/auth/login", "/auth/callback", "/auth/backchannel-logout"):
            assert response.status_code == 404  # there is no issuer to sign in at
        else:
            assert response.status_code == (415 if method == "POST" else 200)
        assert served.reached == []

    @pytest.mark.parametrize(
        "path",
        ["/livez/", "//livez", "/LIVEZ", "/livez/../agent", "/agent/../livez", "/livez%2f", "/%2flivez",
         "/livez/x", "/signin/", "/signin.html", "/signin.css/", "/auth/session/", "/livez;x", "/livez%00",
         "/"],
    )  # fmt: skip
    async def test_is_not_let_in_by_a_path_that_looks_public(self, served: Served, path: str) -> None:
        assert await status_of(served, path) == 401
        assert served.reached == []

    @pytest.mark.parametrize("host", ["localhost/livez", "x/livez?", "evil.example", "[", "", "\xff"])
    async def test_is_not_let_in_by_a_host_header(
        self, client: AsyncClient, served: Served, host: str
    ) -> None:
        response = await client.get("/agent", headers=[(b"host", host.encode("latin-1"))])
        assert is_refused(response, served)

    @pytest.mark.parametrize(
        ("method", "path"), [("POST", "/livez"), ("GET", "/auth/session"), ("PUT", "/signin")]
    )
    async def test_is_refused_for_another_method(
        self, client: AsyncClient, served: Served, method: str, path: str
    ) -> None:
        assert is_refused(await client.request(method, path), served)

    async def test_in_the_query_is_none(self, client: AsyncClient, served: Served, alice: CreatedKey) -> None:
        query = {"access_token": token(), "token": token(), "x-api-key": alice.key}
        assert is_refused(await client.get("/agent", params=query), served)

    @pytest.mark.parametrize("value", ["Basic YWxpY2U6eA==", "Digest x", "token", "Bear er"])
    async def test_of_a_scheme_that_is_not_served_counts_as_none(
        self, client: AsyncClient, served: Served, value: str
    ) -> None:
        response = await client.get("/agent", headers={"authorization": value})
        assert is_refused(response, served)
        assert response.headers["www-authenticate"] == "Bearer"


async def status_of(served: Served, path: str) -> int:
    """Return the status of a request for exactly this path: httpx would tidy it up."""
    statuses = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await served.app(
        {"type": "http", "method": "GET", "scheme": "http", "path": unquote(path), "raw_path": path.encode(),
         "query_string": b"", "headers": [(b"host", b"localhost:8000")], "root_path": ""},
        receive, send,
    )  # fmt: skip
    return int(statuses[0])


class TestGoodCredential:
    @pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
    async def test_of_a_token(self, client: AsyncClient, scheme: str) -> None:
        response = await client.get("/agent", headers={"authorization": f"{scheme} {token()}"})
        assert response.json() == {"user": "alice", "credential": "jwt"}

    async def test_of_an_api_key(self, client: AsyncClient, alice: CreatedKey) -> None:
        response = await client.get("/agent", headers={"x-api-key": alice.key})
        assert response.json() == {"user": "alice", "credential": "api_key"}

    async def test_of_a_session(self, client: AsyncClient, cookie: str) -> None:
        assert (await client.get("/agent")).json() == {"user": "alice", "credential": "session"}

    async def test_short_of_scope_is_forbidden(self, client: AsyncClient) -> None:
        response = await client.get("/scoped", headers=bearer(token(scope="runnable:chat")))
        assert response.status_code == 403
        assert 'error="insufficient_scope"' in response.headers["www-authenticate"]
        assert (await client.get("/scoped", headers=bearer(token(scope="*")))).status_code == 200

    async def test_keeps_two_users_apart_who_call_at_once(
        self, client: AsyncClient, alice: CreatedKey, keys: ApiKeys
    ) -> None:
        bob = await keys.create(tenant_id="beta", user_id="bob")
        callers = [("alice", {"x-api-key": alice.key}), ("bob", {"x-api-key": bob.key}),
                   ("carol", bearer(token(sub="carol")))] * 60  # fmt: skip
        answers = await asyncio.gather(*(client.get("/agent", headers=headers) for _, headers in callers))
        assert [answer.json()["user"] for answer in answers] == [user for user, _ in callers]


class TestBadCredential:
    async def test_has_the_same_body_for_every_cause(
        self, client: AsyncClient, served: Served, keys: ApiKeys, alice: CreatedKey
    ) -> None:
        await keys.revoke(alice.record.id)
        causes = [
            bearer(""), bearer("x"), bearer(token(exp=1)), bearer(token(aud="other")),
            bearer(token() + ", Bearer x"), bearer(alice.key),
            {"x-api-key": ""}, {"x-api-key": "x"}, {"x-api-key": alice.key}, {"x-api-key": token()},
            {"cookie": "gatehouse=x"}, {"cookie": "gatehouse="},
        ]  # fmt: skip
        bodies = []
        for headers in causes:
            response = await client.get("/agent", headers=headers)
            assert is_refused(response, served), headers
            assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'
            assert response.headers["cache-control"] == "no-store"
            bodies.append({**response.json(), "instance": ""})
        assert bodies == [bodies[0]] * len(causes)

    async def test_that_is_not_text_is_refused(self, client: AsyncClient, served: Served) -> None:
        for name in (b"authorization", b"x-api-key", b"cookie"):
            for value in (b"Bearer \xff\xfe.a.b", b"gatehouse=\xff", b"gh_dev_\xff"):
                assert is_refused(await client.get("/agent", headers=[(name, value)]), served)


class TestTwoCredentials:
    @pytest.mark.parametrize("same", [True, False])
    async def test_of_one_header_are_a_bad_request(
        self, client: AsyncClient, served: Served, alice: CreatedKey, same: bool
    ) -> None:
        for name, value in (("authorization", f"Bearer {token()}"), ("x-api-key", alice.key)):
            response = await client.get("/agent", headers=[(name, value), (name, value if same else "x")])
            assert response.status_code == 400
        assert served.reached == []

    async def test_of_two_headers_are_a_bad_request(
        self, client: AsyncClient, served: Served, alice: CreatedKey
    ) -> None:
        response = await client.get("/agent", headers={**bearer(token()), "x-api-key": alice.key})
        assert (response.status_code, served.reached) == (400, [])

    @pytest.mark.parametrize("header", ["authorization", "x-api-key"])
    async def test_of_a_header_and_a_cookie_are_a_bad_request(
        self, client: AsyncClient, served: Served, alice: CreatedKey, cookie: str, header: str
    ) -> None:
        value = alice.key if header == "x-api-key" else f"Bearer {token()}"
        response = await client.get("/agent", headers={header: value})
        assert (response.status_code, served.reached) == (400, [])
        assert "one credential" in response.json()["detail"]

    async def test_of_two_cookies_are_a_bad_request(self, client: AsyncClient, cookie: str) -> None:
        """A sibling path or port of localhost can set a second cookie of the same name."""
        client.cookies.clear()
        response = await client.get("/agent", headers={"cookie": f"gatehouse={cookie}; gatehouse=other"})
        assert response.status_code == 400

    async def test_are_not_made_by_cookies_of_others(self, client: AsyncClient) -> None:
        response = await client.get(
            "/agent", headers={**bearer(token()), "cookie": "a=b; gatehouse2=x; theme"}
        )
        assert response.status_code == 200


class TestNavigation:
    async def test_without_credential_goes_to_the_sign_in_page(self, client: AsyncClient) -> None:
        response = await client.get("/chat/playground/?a=1&b=ü", headers=NAVIGATION)
        assert response.status_code == 303
        assert response.headers["location"] == "/signin?next=/chat/playground/%3Fa%3D1%26b%3D%25C3%25BC"
        assert response.headers["cache-control"] == "no-store"

    async def test_with_an_ended_session_goes_there_too(self, client: AsyncClient) -> None:
        response = await client.get("/", headers={**NAVIGATION, "cookie": "gatehouse=ended"})
        assert (response.status_code, response.headers["location"]) == (303, "/signin")

    async def test_by_a_form_does_not_come_back(self, client: AsyncClient) -> None:
        headers = {**NAVIGATION, **SAME_ORIGIN, "cookie": "gatehouse=ended"}
        response = await client.post("/auth/signout", headers=headers)
        assert (response.status_code, response.headers["location"]) == (303, "/signin")

    async def test_does_not_lead_to_another_site(self, client: AsyncClient) -> None:
        response = await client.get("http://localhost:8000//evil.example/x", headers=NAVIGATION)
        assert (response.status_code, response.headers["location"]) == (303, "/signin")

    @pytest.mark.parametrize(
        "headers",
        [{"accept": "text/html"}, {**NAVIGATION, "accept": "*/*"}, {**NAVIGATION, "sec-fetch-mode": "cors"}],
    )
    async def test_is_told_from_what_scripts_fetch(
        self, client: AsyncClient, served: Served, headers: dict[str, str]
    ) -> None:
        assert is_refused(await client.get("/chat", headers=headers), served)

    async def test_with_two_credentials_stays_a_bad_request(self, client: AsyncClient) -> None:
        headers = {**NAVIGATION, **bearer("x"), "x-api-key": "y"}
        assert (await client.get("/chat", headers=headers)).status_code == 400


@pytest.mark.usefixtures("cookie")
class TestForgery:
    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    @pytest.mark.parametrize(
        "content_type",
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "",
         "text/plain; application/json", "application/jsonx"],
    )  # fmt: skip
    async def test_with_a_body_that_is_no_json_is_refused(
        self, client: AsyncClient, served: Served, method: str, content_type: str
    ) -> None:
        headers = {**SAME_ORIGIN, "content-type": content_type}
        response = await client.request(method, "/agent/invoke", content="{}", headers=headers)
        assert (response.status_code, served.reached) == (415, [])

    @pytest.mark.parametrize(
        "origin",
        [
            {},
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
            {"sec-fetch-site": "none"},
            {"sec-fetch-site": "cross-site", "origin": "http://localhost:8000"},
            {"origin": "https://evil.example"},
            {"origin": "null"},
            {"origin": ""},
            {"origin": "http://localhost"},
            {"origin": "http://localhost:9000"},
            {"origin": "https://localhost:8000"},
            {"origin": "http://localhost:8000.evil.example"},
            {"origin": PARTNER + ".evil.example"},
        ],
    )
    async def test_from_another_origin_or_none_is_refused(
        self, client: AsyncClient, served: Served, origin: dict[str, str]
    ) -> None:
        response = await client.post("/agent/invoke", json={}, headers=origin)
        assert (response.status_code, served.reached) == (403, [])

    async def test_with_two_origins_is_refused(self, client: AsyncClient) -> None:
        headers = [("origin", "http://localhost:8000"), ("origin", "https://evil.example")]
        assert (await client.post("/agent/invoke", json={}, headers=headers)).status_code == 403

    @pytest.mark.parametrize(
        "origin",
        [SAME_ORIGIN, {"origin": "http://localhost:8000"}, {"origin": PARTNER},
         {"origin": PARTNER, "sec-fetch-site": "same-site"}],
    )  # fmt: skip
    async def test_is_not_suspected_of_our_own_pages(
        self, client: AsyncClient, origin: dict[str, str]
    ) -> None:
        headers = {**origin, "content-type": "Application/JSON; charset=utf-8"}
        assert (await client.post("/agent/invoke", content="{}", headers=headers)).status_code == 200

    async def test_is_not_suspected_of_reading(self, client: AsyncClient) -> None:
        for method in ("GET", "HEAD", "OPTIONS"):
            assert (await client.request(method, "/agent")).status_code == 200

    async def test_is_not_suspected_of_explicit_credentials(
        self, client: AsyncClient, alice: CreatedKey
    ) -> None:
        client.cookies.clear()
        headers = {"x-api-key": alice.key, "origin": "https://other.example", "content-type": "text/plain"}
        assert (await client.post("/agent/invoke", content="{}", headers=headers)).status_code == 200


class TestSession:
    async def test_of_a_revoked_key_ends_within_5_seconds(
        self,
        client: AsyncClient,
        cookie: str,
        keys: ApiKeys,
        alice: CreatedKey,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        assert (await client.get("/agent")).status_code == 200
        await keys.revoke(alice.record.id)  # by another process than the one that serves
        later = time.monotonic() + 5
        monkeypatch.setattr("gatehouse.identity.recent.monotonic", lambda: later)
        assert (await client.get("/agent")).status_code == 401

    async def test_of_a_token_is_not_looked_up_among_the_keys(self, client: AsyncClient) -> None:
        await client.post("/auth/session", json={"credential": token()})
        assert (await client.get("/agent")).json() == {"user": "alice", "credential": "session"}

    async def test_is_not_taken_by_its_plain_name_in_production_or_over_the_network(
        self, served: Served, client: AsyncClient, cookie: str
    ) -> None:
        for base_url in ("http://gatehouse.example", "https://localhost:8000"):
            async with AsyncClient(transport=ASGITransport(served.app), base_url=base_url) as other:
                response = await other.get("/agent", headers={"cookie": f"gatehouse={cookie}"})
                assert response.headers["www-authenticate"] == "Bearer"
                response = await other.get("/agent", headers={"cookie": f"__Host-gatehouse={cookie}"})
                assert response.status_code == 200


class TestOutage:
    async def test_of_the_database_is_unavailable(
        self, client: AsyncClient, served: Served, alice: CreatedKey, engine: AsyncEngine
    ) -> None:
        async with engine.begin() as connection:
            await connection.exec_driver_sql("DROP TABLE api_keys")
        response = await client.get("/agent", headers={"x-api-key": alice.key})
        assert (response.status_code, served.reached) == (503, [])
        assert "api_keys" not in response.text

    async def test_of_redis_is_unavailable(
        self, client: AsyncClient, served: Served, cookie: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def fail(_key: str) -> None:
            raise ConnectionError

        monkeypatch.setattr(redis, "get", fail)
        response = await client.get("/agent")
        assert (response.status_code, served.reached) == (503, [])


class TestPreflight:
    async def test_of_an_allowed_origin_is_answered_without_credential(self, client: AsyncClient) -> None:
        headers = {"origin": PARTNER, "access-control-request-method": "GET"}
        response = await client.options("/agent", headers=headers)
        assert response.status_code == 200
        assert response.headers["access-control-allow-origin"] == PARTNER

    async def test_of_another_origin_allows_nothing(self, client: AsyncClient, served: Served) -> None:
        headers = {"origin": "https://evil.example", "access-control-request-method": "GET"}
        response = await client.options("/agent", headers=headers)
        assert "access-control-allow-origin" not in response.headers
        assert served.reached == []


class TestOpenAuthenticator:
    async def test_opens_with_generated_secrets(
        self, make_settings: MakeSettings, engine: AsyncEngine, redis: Redis
    ) -> None:
        authenticator = await open_authenticator(make_settings(), engine, redis)
        created = await authenticator.api_keys.create(tenant_id="acme", user_id="alice")
        assert (await authenticator.accept(created.key)).user_id == "alice"

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"jwt_secret": "short"}, "GATEHOUSE_JWT_SECRET"),
            ({"api_key_pepper": "short"}, "GATEHOUSE_API_KEY_PEPPER"),
            ({"start_link": "short"}, "GATEHOUSE_START_LINK"),
            ({"openwebui_jwt_secret": "short"}, "GATEHOUSE_OPENWEBUI_JWT_SECRET"),
        ],
    )
    async def test_names_the_setting_that_cannot_work(
        self,
        make_settings: MakeSettings,
        engine: AsyncEngine,
        redis: Redis,
        changes: dict[str, str],
        message: str,
    ) -> None:
        with pytest.raises(BadConfiguration, match=message):
            await open_authenticator(make_settings(**changes), engine, redis)

    async def test_refuses_a_start_link_in_production(
        self, make_settings: MakeSettings, engine: AsyncEngine, redis: Redis
    ) -> None:
        settings = make_settings(
            environment="production", database_url="sqlite://", redis_url="redis://x", jwt_secret="s" * 32,
            api_key_pepper="p" * 32, start_link="a link that is long enough",
        )  # fmt: skip
        with pytest.raises(BadConfiguration, match="development only"):
            await open_authenticator(settings, engine, redis)
        assert await redis.keys("*") == []
