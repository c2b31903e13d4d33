"""API keys over HTTP: an administrator of a tenant has power over its keys, and over no more."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from auth_app import Served
from httpx import ASGITransport, AsyncClient, Response

from gatehouse.auth.api_keys.store import ApiKeys
from gatehouse.auth.authenticator import Authenticator
from gatehouse.web.auth import keys as key_routes

SCOPES = ("keys:admin", "runnable:chat", "runnable:agent")


@pytest.fixture
def api_keys(authenticator: Authenticator) -> ApiKeys:
    return authenticator.api_keys


@pytest.fixture
async def admin(served: Served, api_keys: ApiKeys) -> AsyncIterator[AsyncClient]:
    """An administrator of acme, on the plan `pro`."""
    key = await api_keys.create(tenant_id="acme", user_id="root", scopes=SCOPES, plan="pro")
    transport = ASGITransport(app=served.app)
    async with AsyncClient(
        transport=transport, base_url="http://gatehouse", headers={"x-api-key": key.key}
    ) as client:
        yield client


async def made(admin: AsyncClient, **fields: Any) -> dict[str, Any]:
    response = await admin.post("/api/keys", json={"user_id": "alice", **fields})
    assert response.status_code == 201, response.text
    body: dict[str, Any] = response.json()
    return body


async def status_with(admin: AsyncClient, key: str) -> int:
    return (await admin.get("/anything", headers={"x-api-key": key})).status_code


def is_problem(response: Response, status: int, kind: str) -> bool:
    return (response.status_code, response.json()["type"]) == (status, f"urn:gatehouse:problem:{kind}")


class TestScope:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "/api/keys"),
            ("GET", "/api/keys"),
            ("GET", "/api/keys/x"),
            ("POST", "/api/keys/x/rotate"),
            ("POST", "/api/keys/x/revoke"),
        ],
    )
    async def test_is_named_when_it_is_missing(
        self, admin: AsyncClient, api_keys: ApiKeys, method: str, path: str
    ) -> None:
        key = await api_keys.create(tenant_id="acme", user_id="alice", scopes=["runnable:chat"])
        response = await admin.request(method, path, headers={"x-api-key": key.key})
        assert is_problem(response, 403, "insufficient-scope")
        assert response.json()["scope"] == "keys:admin"
        challenge = 'Bearer error="insufficient_scope", scope="keys:admin"'
        assert response.headers["www-authenticate"] == challenge


class TestCreate:
    async def test_shows_a_key_that_works_once(self, admin: AsyncClient, api_keys: ApiKeys) -> None:
        key = await made(
            admin, name="Laptop", scopes=["runnable:chat"], claims={"portfolio_id": "acme-alice-1"}
        )
        principal = await api_keys.verify(key["key"])
        assert (principal.tenant_id, principal.user_id, principal.name) == ("acme", "alice", "Laptop")
        assert principal.scopes == {"runnable:chat"}
        assert principal.claims == {"portfolio_id": "acme-alice-1"}
        assert (key["state"], key["expires_at"]) == ("works", None)
        assert "key" not in (await admin.get(f"/api/keys/{key['id']}")).json()
        assert key["key"] not in (await admin.get("/api/keys")).text

    async def test_gives_the_plan_of_who_makes_it(self, admin: AsyncClient) -> None:
        assert (await made(admin))["plan"] == "pro"
        assert (await admin.post("/api/keys", json={"user_id": "a", "plan": "free"})).status_code == 422

    async def test_expires_when_it_is_told_to(self, admin: AsyncClient) -> None:
        key = await made(admin, expires_in=0.001)
        assert await status_with(admin, key["key"]) == 401
        assert (await admin.get(f"/api/keys/{key['id']}")).json()["state"] == "expired"

    @pytest.mark.parametrize("scope", ["*", "usage:read", "runnable:summarize"])
    async def test_grants_nothing_that_the_maker_lacks(
        self, admin: AsyncClient, api_keys: ApiKeys, scope: str
    ) -> None:
        before = len(await api_keys.list())
        response = await admin.post("/api/keys", json={"user_id": "a", "scopes": ["runnable:chat", scope]})
        assert is_problem(response, 403, "insufficient-scope")
        assert response.json()["scope"] == scope
        assert len(await api_keys.list()) == before

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"user_id": ""},
            {"user_id": "a\nb"},
            {"user_id": "x" * 256},
            {"user_id": "a", "tenant_id": "beta"},
            {"user_id": "a", "claims": {"user_id": "bob"}},
            {"user_id": "a", "scopes": "runnable:chat"},
            {"user_id": "a", "scopes": ["two words"]},
            {"user_id": "a", "scopes": ['a"b']},
            {"user_id": "a", "expires_in": 0},
            {"user_id": "a", "expires_in": -1},
            {"user_id": "a", "expires_in": 1e300},
            {"user_id": "a", "expires_in": True, "claims": {"desk": "a\x00"}},
            {"user_id": "a", "name": "\ud800"},
        ],
    )
    async def test_refuses_what_is_no_key(self, admin: AsyncClient, api_keys: ApiKeys, body: Any) -> None:
        before = len(await api_keys.list())
        assert is_problem(await admin.post("/api/keys", content=json.dumps(body)), 422, "invalid-input")
        assert len(await api_keys.list()) == before

    async def test_stops_at_a_number_of_keys(
        self, admin: AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(key_routes, "MOST_KEYS", 2)
        await made(admin)
        assert is_problem(await admin.post("/api/keys", json={"user_id": "a"}), 409, "conflict")


class TestList:
    async def test_is_of_the_own_tenant_page_by_page(self, admin: AsyncClient, api_keys: ApiKeys) -> None:
        await api_keys.create(tenant_id="beta", user_id="bob")
        wanted = [key.id for key in await api_keys.list("acme")]
        wanted += [(await made(admin))["id"] for _ in range(4)]
        found: list[str] = []
        parameters: dict[str, Any] = {"limit": 2}
        while True:
            page = (await admin.get("/api/keys", params=parameters)).json()
            found += [item["id"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            parameters["cursor"] = page["next_cursor"]
        assert found == wanted

    async def test_refuses_a_cursor_of_another_tenant(self, admin: AsyncClient, api_keys: ApiKeys) -> None:
        theirs = await api_keys.create(tenant_id="beta", user_id="bob")
        for cursor in (theirs.record.id, "nobody", "\x00"):
            response = await admin.get("/api/keys", params={"cursor": cursor})
            assert is_problem(response, 404, "not-found")


class TestRotate:
    async def test_lets_both_work_while_they_overlap(self, admin: AsyncClient) -> None:
        old = await made(admin, scopes=["runnable:chat"], name="Laptop")
        new = (await admin.post(f"/api/keys/{old['id']}/rotate", json={"overlap": 60})).json()
        assert (new["scopes"], new["name"], new["plan"]) == (["runnable:chat"], "Laptop", "pro")
        assert [await status_with(admin, key["key"]) for key in (old, new)] == [200, 200]

    async def test_without_overlap_ends_the_old_key(self, admin: AsyncClient) -> None:
        old = await made(admin)
        new = (await admin.post(f"/api/keys/{old['id']}/rotate", json={"overlap": 0})).json()
        assert [await status_with(admin, key["key"]) for key in (old, new)] == [401, 200]

    async def test_of_a_key_that_may_more_is_refused(self, admin: AsyncClient, api_keys: ApiKeys) -> None:
        """Its text comes with the answer: whoever could rotate it could do all that it may."""
        mighty = await api_keys.create(tenant_id="acme", user_id="root", scopes=["*"])
        response = await admin.post(f"/api/keys/{mighty.record.id}/rotate", json={})
        assert is_problem(response, 403, "insufficient-scope")
        assert (await api_keys.get(mighty.record.id)).expires_at is None

    async def test_of_a_key_that_works_no_longer_is_not_found(self, admin: AsyncClient) -> None:
        key = await made(admin)
        await admin.post(f"/api/keys/{key['id']}/revoke")
        assert is_problem(await admin.post(f"/api/keys/{key['id']}/rotate", json={}), 404, "not-found")


class TestRevoke:
    async def test_ends_the_key(self, admin: AsyncClient) -> None:
        key = await made(admin)
        assert await status_with(admin, key["key"]) == 200
        revoked = (await admin.post(f"/api/keys/{key['id']}/revoke")).json()
        assert (revoked["state"], revoked["revoked_at"] is None) == ("revoked", False)
        assert await status_with(admin, key["key"]) == 401


class TestOtherTenants:
    @pytest.mark.parametrize("call", ["", "/rotate", "/revoke"])
    async def test_keys_are_not_found(self, admin: AsyncClient, api_keys: ApiKeys, call: str) -> None:
        theirs = await api_keys.create(tenant_id="beta", user_id="bob")
        answers = []
        for key_id in (theirs.record.id, "0" * 16):
            address = f"/api/keys/{key_id}{call}"
            response = await (admin.post(address, json={}) if call else admin.get(address))
            assert is_problem(response, 404, "not-found")
            answers.append({**response.json(), "instance": ""})
        assert answers[0] == answers[1]
        assert (await api_keys.get(theirs.record.id)).works
