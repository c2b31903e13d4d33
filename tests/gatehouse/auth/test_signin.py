import asyncio
import re
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from html import unescape
from urllib.parse import quote

import pytest
from auth_app import Served, serve
from auth_settings import PARTNER
from httpx import ASGITransport, AsyncClient, Response
from pydantic import SecretStr
from redis.asyncio import Redis
from signed_tokens import token
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.auth.api_keys.store import ApiKeys, CreatedKey
from gatehouse.auth.authenticator import open_authenticator
from gatehouse.settings import Settings

LINK = "a-start-link-that-is-long-enough"
SAME_ORIGIN = {"sec-fetch-site": "same-origin"}
JSON = {"content-type": "application/json"}
WANTED = ["/", "/chat/playground/", "/chat?a=1&b=2#c", "/a%20b", "/é", '/"><b>']
FOREIGN = [
    "//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example",
    "/\n/evil.example", "javascript:alert(1)", "evil.example", "", " /x", "/a b", "/%0a\x00", "/x\\y",
]  # fmt: skip


@pytest.fixture
async def linked(settings: Settings, engine: AsyncEngine, redis: Redis) -> AsyncIterator[AsyncClient]:
    """A client of a server that was started with a start link."""
    settings = settings.model_copy(update={"start_link": SecretStr(LINK)})
    app = serve(settings, await open_authenticator(settings, engine, redis), redis).app
    async with AsyncClient(transport=ASGITransport(app), base_url="http://localhost:8000") as client:
        yield client


def attributes_of_cookie(response: Response) -> set[str]:
    [cookie] = response.headers.get_list("set-cookie")
    return {part.strip().lower() for part in cookie.split(";")[1:]}


async def user_of(client: AsyncClient) -> str | None:
    response = await client.get("/agent")
    return response.json()["user"] if response.status_code == 200 else None


class TestPage:
    async def test_has_one_labelled_field(self, client: AsyncClient) -> None:
        response = await client.get("/signin")
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        assert '<label for="credential">' in response.text
        assert '<input id="credential" name="credential" type="password"' in response.text
        assert '<form method="post" action="/auth/session">' in response.text

    async def test_needs_nothing_that_the_strict_policy_forbids(self, client: AsyncClient) -> None:
        response = await client.get("/signin?link=x")
        assert "unsafe" not in response.headers["content-security-policy"]
        assert re.search(r"<style|style=|<script>|<script [^>]*>[^<]|\son\w+=", response.text) is None
        linked = re.findall(r'(?:href|src)="([^"]*)"', response.text)
        assert linked
        for path in linked:
            asset = await client.get(path)
            assert asset.status_code == 200
            assert asset.headers["cache-control"] == "public, max-age=3600"

    async def test_with_a_link_has_one_button(self, client: AsyncClient) -> None:
        page = (await client.get("/signin", params={"link": 'x"><script>', "next": "/chat"})).text
        assert 'name="link" value="x&quot;&gt;&lt;script&gt;"' in page
        assert 'id="start"' in page
        assert page.count("<button") == 1
        assert 'name="credential"' not in page

    @pytest.mark.parametrize("wanted", WANTED)
    async def test_remembers_where_to_go(self, client: AsyncClient, wanted: str) -> None:
        page = (await client.get("/signin", params={"next": wanted})).text
        assert destination_in(page) == wanted

    @pytest.mark.parametrize("foreign", FOREIGN)
    async def test_forgets_where_it_must_not_go(self, client: AsyncClient, foreign: str) -> None:
        page = (await client.get("/signin", params={"next": foreign})).text
        assert destination_in(page) == "/"

    async def test_does_not_make_its_forms_origin_null(self, client: AsyncClient) -> None:
        """Browsers send `Origin: null` with a form from a page whose policy is no-referrer."""
        assert (await client.get("/signin")).headers["referrer-policy"] == "strict-origin"


def destination_in(page: str) -> str:
    found = re.search(r'name="next" value="([^"]*)"', page)
    assert found is not None
    return unescape(found[1])


class TestSignInByScript:
    async def test_gives_a_session_for_a_key(self, client: AsyncClient, alice: CreatedKey) -> None:
        response = await client.post(
            "/auth/session", json={"credential": f" {alice.key}\n"}, headers=SAME_ORIGIN
        )
        assert response.status_code == 200
        signed_in = response.json()
        assert 28_790 < signed_in.pop("expires_at") - time.time() <= 28_800
        assert signed_in == {
            "tenant_id": "acme",
            "user_id": "alice",
            "name": "Alice",
            "scopes": ["runnable:chat"],
        }
        assert response.headers["cache-control"] == "no-store"
        assert await user_of(client) == "alice"

    async def test_gives_a_session_for_a_token_that_ends_with_it(self, client: AsyncClient) -> None:
        exp = int(time.time()) + 60
        response = await client.post("/auth/session", json={"credential": token(exp=exp)})
        assert response.json()["expires_at"] == exp
        [max_age] = [part for part in attributes_of_cookie(response) if part.startswith("max-age=")]
        assert 55 <= int(max_age.removeprefix("max-age=")) <= 60

    @pytest.mark.parametrize("credential", ["x", "gh_dev_x", "gatehouse", "x" * 8192])
    async def test_refuses_a_wrong_credential(self, client: AsyncClient, credential: str) -> None:
        response = await client.post("/auth/session", json={"credential": credential})
        assert response.status_code == 401
        assert response.headers["content-type"] == "application/problem+json"
        assert "set-cookie" not in response.headers

    @pytest.mark.parametrize(
        "body",
        [
            b"", b"{", b"[]", b"null", b"{}", b'{"credential": ""}', b'{"credential": 5}',
            b'{"credential": null}', b'{"credential": "a", "link": "b"}', b'{"credential": "\xff"}',
            b'{"credential": "\\ud800"}', b"[" * 500, b'{"link": ' + b"1" * 5000 + b"}",
            b'{"credential": "' + b"x" * 9000 + b'"}',
        ],
        ids=lambda body: body[:20].decode("latin-1"),
    )  # fmt: skip
    async def test_refuses_a_faulty_body(self, client: AsyncClient, body: bytes) -> None:
        response = await client.post("/auth/session", content=body, headers=JSON)
        assert response.status_code == 422
        assert b"xxxx" not in response.content

    @pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data; boundary=x", ""])
    async def test_refuses_another_kind_of_body(self, client: AsyncClient, content_type: str) -> None:
        response = await client.post("/auth/session", content=b"{}", headers={"content-type": content_type})
        assert response.status_code == 415


class TestSignInByForm:
    @pytest.mark.parametrize("wanted", WANTED)
    async def test_goes_on_to_where_it_was_wanted(
        self, client: AsyncClient, alice: CreatedKey, wanted: str
    ) -> None:
        form = {"credential": alice.key, "next": wanted}
        response = await client.post("/auth/session", data=form, headers=SAME_ORIGIN)
        assert response.status_code == 303
        assert response.headers["location"] == quote(wanted, safe="/?&=#%")
        assert response.headers["cache-control"] == "no-store"
        assert await user_of(client) == "alice"

    @pytest.mark.parametrize("foreign", FOREIGN)
    async def test_never_goes_to_another_site(
        self, client: AsyncClient, alice: CreatedKey, foreign: str
    ) -> None:
        response = await client.post("/auth/session", data={"credential": alice.key, "next": foreign})
        assert (response.status_code, response.headers["location"]) == (303, "/")

    @pytest.mark.parametrize(
        "form", [{"credential": "gh_dev_wrong"}, {"credential": ""}, {}, {"credential": "é" * 9000}]
    )
    async def test_shows_the_page_again_for_a_wrong_credential(
        self, client: AsyncClient, form: dict[str, str]
    ) -> None:
        response = await client.post("/auth/session", data={**form, "next": "/chat"})
        assert response.status_code == 401
        assert response.headers["cache-control"] == "no-store"
        assert 'role="alert">That key or token is not valid' in response.text
        assert destination_in(response.text) == "/chat"
        assert "gh_dev_wrong" not in response.text
        assert "set-cookie" not in response.headers


class TestStartLink:
    async def test_signs_in_once(self, linked: AsyncClient) -> None:
        response = await linked.post("/auth/session", data={"link": LINK}, headers=SAME_ORIGIN)
        assert (response.status_code, response.headers["location"]) == (303, "/")
        assert await user_of(linked) == "alice"
        again = await linked.post("/auth/session", data={"link": LINK}, headers=SAME_ORIGIN)
        assert again.status_code == 401
        assert "used before" in again.text
        assert 'name="credential"' in again.text

    async def test_signs_in_a_script_too(self, linked: AsyncClient) -> None:
        assert (await linked.post("/auth/session", json={"link": LINK})).json()["scopes"] == ["*"]
        assert (await linked.post("/auth/session", json={"link": LINK})).status_code == 401

    async def test_is_won_once_on_two_replicas(
        self, settings: Settings, engine: AsyncEngine, redis: Redis
    ) -> None:
        settings = settings.model_copy(update={"start_link": SecretStr(LINK)})
        replicas = [
            serve(settings, await open_authenticator(settings, engine, redis), redis).app for _ in "ab"
        ]
        statuses = await asyncio.gather(*(post_link(app) for app in replicas * 5))
        assert sorted(statuses) == [200] + [401] * 9

    async def test_is_not_used_up_by_looking_at_the_page(self, linked: AsyncClient) -> None:
        await linked.get("/signin", params={"link": LINK})
        assert (await linked.post("/auth/session", json={"link": LINK})).status_code == 200

    async def test_is_no_credential_elsewhere(self, linked: AsyncClient) -> None:
        for headers in (
            {"authorization": f"Bearer {LINK}"},
            {"x-api-key": LINK},
            {"cookie": f"gatehouse={LINK}"},
        ):
            assert (await linked.get("/agent", headers=headers)).status_code == 401


async def post_link(app: object) -> int:
    async with AsyncClient(transport=ASGITransport(app), base_url="http://localhost:8000") as client:  # type: ignore[arg-type]
        return (await client.post("/auth/session", json={"link": LINK})).status_code


class TestLoginForgery:
    @pytest.mark.parametrize(
        "origin",
        [{"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"},
         {"sec-fetch-site": "same-site"}],
    )  # fmt: skip
    @pytest.mark.parametrize("kind", ["data", "json"])
    async def test_from_another_site_is_refused(
        self, client: AsyncClient, alice: CreatedKey, origin: dict[str, str], kind: str
    ) -> None:
        body = {kind: {"credential": alice.key}}
        response = await client.post("/auth/session", **body, headers=origin)  # type: ignore[arg-type]
        assert response.status_code == 403
        assert "set-cookie" not in response.headers

    @pytest.mark.parametrize("origin", [{}, {"origin": "http://localhost:8000"}, {"origin": PARTNER}])
    async def test_is_not_suspected_of_our_pages_and_of_programs(
        self, client: AsyncClient, alice: CreatedKey, origin: dict[str, str]
    ) -> None:
        response = await client.post("/auth/session", json={"credential": alice.key}, headers=origin)
        assert response.status_code == 200


class TestCookie:
    async def test_on_localhost_is_plain(self, client: AsyncClient, alice: CreatedKey) -> None:
        response = await client.post("/auth/session", json={"credential": alice.key})
        assert response.headers["set-cookie"].startswith("gatehouse=")
        assert attributes_of_cookie(response) == {"httponly", "samesite=lax", "path=/", "max-age=28799"} or (
            attributes_of_cookie(response) == {"httponly", "samesite=lax", "path=/", "max-age=28800"}
        )

    @pytest.mark.parametrize(
        ("base_url", "environment"),
        [
            ("https://gatehouse.example", "production"),
            ("http://localhost:8000", "production"),
            ("https://localhost:8000", "development"),
            ("http://192.168.0.7:8000", "development"),
            ("http://localhost.evil.example", "development"),
        ],
    )
    async def test_elsewhere_is_bound_to_the_host_and_to_tls(
        self,
        settings: Settings,
        served: Served,
        redis: Redis,
        alice: CreatedKey,
        base_url: str,
        environment: str,
    ) -> None:
        services = served.app.services  # type: ignore[attr-defined]
        elsewhere = settings.model_copy(update={"environment": environment})
        app = serve(elsewhere, replace(services.authenticator, settings=elsewhere), redis).app
        async with AsyncClient(transport=ASGITransport(app), base_url=base_url) as client:
            begun = await client.post("/auth/session", json={"credential": alice.key})
            cookie = {"cookie": begun.headers["set-cookie"].partition(";")[0]}  # also where httpx keeps none
            ended = await client.delete("/auth/session", headers={**cookie, **SAME_ORIGIN, **JSON})
        for response in (begun, ended):  # a browser drops a __Host- cookie for one that is secure alone
            assert response.headers["set-cookie"].startswith("__Host-gatehouse=")
            assert attributes_of_cookie(response) >= {"httponly", "secure", "samesite=lax", "path=/"}
            assert not any(part.startswith("domain") for part in attributes_of_cookie(response))


class TestRotation:
    async def test_ends_the_session_that_the_browser_had(
        self, client: AsyncClient, alice: CreatedKey, keys: ApiKeys
    ) -> None:
        await client.post("/auth/session", json={"credential": alice.key})
        first = client.cookies["gatehouse"]
        bob = await keys.create(tenant_id="beta", user_id="bob")
        await client.post("/auth/session", json={"credential": bob.key})
        assert client.cookies["gatehouse"] != first
        assert await user_of(client) == "bob"
        client.cookies.set("gatehouse", first, domain="localhost.local")
        assert await user_of(client) is None

    async def test_does_not_take_a_session_id_from_the_browser(
        self, client: AsyncClient, alice: CreatedKey
    ) -> None:
        headers = {"cookie": "gatehouse=chosen-by-an-attacker"}
        response = await client.post("/auth/session", json={"credential": alice.key}, headers=headers)
        assert "chosen-by-an-attacker" not in response.headers["set-cookie"]

    async def test_keeps_the_session_when_the_new_credential_is_wrong(
        self, client: AsyncClient, alice: CreatedKey
    ) -> None:
        await client.post("/auth/session", json={"credential": alice.key})
        await client.post("/auth/session", json={"credential": "x"})
        assert await user_of(client) == "alice"


@pytest.fixture
async def cookie(client: AsyncClient, alice: CreatedKey) -> str:
    await client.post("/auth/session", json={"credential": alice.key})
    return client.cookies["gatehouse"]


class TestSignOut:
    async def test_by_a_script_ends_the_session(self, client: AsyncClient, cookie: str, redis: Redis) -> None:
        response = await client.delete("/auth/session", headers={**SAME_ORIGIN, **JSON})
        assert response.status_code == 204
        assert {"max-age=0", "path=/", "httponly", "samesite=lax"} <= attributes_of_cookie(response)
        assert await redis.keys("gh:session:*") == []
        assert (await client.get("/agent", headers={"cookie": f"gatehouse={cookie}"})).status_code == 401

    async def test_by_a_form_ends_the_session(self, client: AsyncClient, cookie: str, redis: Redis) -> None:
        response = await client.post("/auth/signout", headers=SAME_ORIGIN)
        assert (response.status_code, response.headers["location"]) == (303, "/signin")
        assert "max-age=0" in attributes_of_cookie(response)
        assert response.headers["cache-control"] == "no-store"
        assert await redis.keys("gh:session:*") == []

    @pytest.mark.parametrize(
        "origin", [{}, {"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}]
    )
    async def test_by_another_site_is_refused(
        self, client: AsyncClient, cookie: str, origin: dict[str, str]
    ) -> None:
        assert (await client.post("/auth/signout", headers=origin)).status_code == 403
        assert (await client.delete("/auth/session", headers={**JSON, **origin})).status_code == 403
        assert await user_of(client) == "alice"

    async def test_leaves_other_sessions(self, client: AsyncClient, cookie: str, alice: CreatedKey) -> None:
        client.cookies.clear()
        await client.post("/auth/session", json={"credential": alice.key})
        await client.delete("/auth/session", headers={**SAME_ORIGIN, **JSON})
        assert (await client.get("/agent", headers={"cookie": f"gatehouse={cookie}"})).status_code == 200

    async def test_with_a_key_has_no_session_to_end(self, client: AsyncClient, alice: CreatedKey) -> None:
        response = await client.delete("/auth/session", headers={"x-api-key": alice.key})
        assert response.status_code == 204


class TestOutageWhileSigningIn:
    @pytest.mark.parametrize("command", ["set", "delete"])
    async def test_of_redis_is_unavailable(
        self, client: AsyncClient, cookie: str, redis: Redis, monkeypatch: pytest.MonkeyPatch, command: str
    ) -> None:
        async def fail(*_arguments: object, **_options: object) -> None:
            raise ConnectionError

        monkeypatch.setattr(redis, command, fail)
        response = await client.post("/auth/session", json={"credential": token()})
        assert response.status_code == 503
        assert "set-cookie" not in response.headers
