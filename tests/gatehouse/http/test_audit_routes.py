"""The audit log as a server fills it, and as it is read over HTTP."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest
from live_app import LiveApp, bearer, token
from websockets.sync.client import connect

PLANS = {"default": {"requests_per_minute": 6000, "burst": 500, "concurrent_runs": 1}}
AUDITOR: dict[str, Any] = {"user": "auditor", "scopes": ("audit:read",)}


@pytest.fixture
def live(serve: Any) -> LiveApp:
    live: LiveApp = serve("/chat", "/endless", plans=PLANS, signin_failures=3)
    return live


@pytest.fixture
def client(live: LiveApp) -> Iterator[httpx.Client]:
    with live.client() as client:
        yield client


def audited(live: LiveApp, tenant: str = "acme", **wanted: str) -> list[dict[str, Any]]:
    """Return the rows that an auditor of the tenant reads, when all that waits is written."""
    live.run(live.services.audit.flush())
    with live.client(bearer(tenant=tenant, **AUDITOR)) as auditor:
        response = auditor.get("/api/audit", params=wanted)
    assert response.status_code == 200, response.text
    items: list[dict[str, Any]] = response.json()["items"]
    return items


class TestSignIn:
    def test_and_sign_out_are_on_record(self, live: LiveApp) -> None:
        with live.client({"origin": live.url}) as browser:
            key = live.api_key()
            assert browser.post("/auth/session", json={"credential": key}).status_code == 200
            assert (
                browser.delete("/auth/session", headers={"content-type": "application/json"}).status_code
                == 204
            )
        out, signed_in = audited(live)
        assert (signed_in["action"], signed_in["outcome"], signed_in["user_id"]) == ("sign-in", "ok", "alice")
        assert signed_in["details"] == {"by": "key or token", "signed_in_with": "session"}
        assert signed_in["address"] == "127.0.0.1"
        assert signed_in["request_id"]
        assert (out["action"], out["outcome"]) == ("sign-out", "ok")

    def test_with_a_revoked_key_is_on_the_record_of_its_tenant(
        self, live: LiveApp, client: httpx.Client
    ) -> None:
        made = client.post("/api/keys", json={"user_id": "alice"}).json()
        client.post(f"/api/keys/{made['id']}/revoke")
        with live.client({}) as browser:
            assert browser.post("/auth/session", json={"credential": made["key"]}).status_code == 401
        [failed] = audited(live, action="sign-in")
        assert (failed["outcome"], failed["user_id"]) == ("failed", "alice")

    def test_of_nobody_is_on_no_tenants_record(self, live: LiveApp) -> None:
        with live.client({}) as browser:
            for _ in range(4):
                browser.post("/auth/session", json={"credential": "garbage"})
            browser.post("/auth/session", data={"credential": "garbage"})
        assert audited(live) == audited(live, tenant="beta") == []


class TestCredentials:
    def test_that_change_are_on_record_with_who_changed_them(
        self, live: LiveApp, client: httpx.Client
    ) -> None:
        made = client.post("/api/keys", json={"user_id": "bob", "scopes": ["runnable:chat"]}).json()
        rotated = client.post(f"/api/keys/{made['id']}/rotate", json={}).json()
        client.post(f"/api/keys/{rotated['id']}/revoke")
        client.post("/api/tokens/revoke", json={"jti": "a-token"})
        token_revoked, revoked, took_over, created = audited(live)
        assert (created["action"], created["subject"], created["user_id"]) == (
            "key.create",
            made["id"],
            "alice",
        )
        assert created["details"]["user"] == "bob"
        assert created["details"]["scopes"] == "runnable:chat"
        assert (took_over["action"], took_over["subject"]) == ("key.rotate", rotated["id"])
        assert took_over["details"]["old"] == made["id"]
        assert (revoked["action"], revoked["subject"]) == ("key.revoke", rotated["id"])
        assert (token_revoked["action"], token_revoked["subject"]) == ("token.revoke", "a-token")
        text = str([token_revoked, revoked, took_over, created])
        assert made["key"] not in text
        assert rotated["key"] not in text

    def test_are_not_changed_when_it_cannot_be_put_on_record(
        self, live: LiveApp, client: httpx.Client
    ) -> None:
        made = client.post("/api/keys", json={"user_id": "bob"}).json()

        async def drop() -> None:
            async with live.services.engine.begin() as connection:
                await connection.exec_driver_sql("ALTER TABLE audit_log RENAME TO gone")

        live.run(drop())
        assert client.post("/api/keys", json={"user_id": "bob"}).status_code == 503
        assert client.post(f"/api/keys/{made['id']}/revoke").status_code == 503
        [only] = client.get("/api/keys").json()["items"]
        assert (only["id"], only["state"]) == (made["id"], "works")


class TestRefused:
    def test_access_is_on_record_once_a_minute(self, live: LiveApp) -> None:
        while datetime.now(UTC).second > 55:  # not around the end of a minute
            time.sleep(0.2)
        with live.client(bearer(scopes=("runnable:chat",))) as weak:
            for _ in range(5):
                assert weak.get("/api/keys").status_code == 403
            assert weak.get("/api/audit").status_code == 403
        rows = audited(live)
        assert sorted(row["subject"] for row in rows) == ["/api/audit", "/api/keys"]
        assert {(row["action"], row["outcome"], row["user_id"]) for row in rows} == {
            ("access.refused", "refused", "alice")
        }
        assert {row["details"]["scope"] for row in rows} == {"keys:admin", "audit:read"}

    def test_credentials_that_ended_are_on_record(self, live: LiveApp, client: httpx.Client) -> None:
        ended = token("carol")
        jti = jwt.decode(ended, options={"verify_signature": False})["jti"]
        client.post("/api/tokens/revoke", json={"jti": jti})
        key = client.post("/api/keys", json={"user_id": "bob"}).json()
        client.post(f"/api/keys/{key['id']}/revoke")
        for headers in (
            {"authorization": f"Bearer {ended}"},
            {"x-api-key": key["key"]},
        ):
            with live.client(headers) as former:
                assert former.get("/api/me").status_code == 401
        rows = audited(live, action="access.refused")
        assert {row["user_id"] for row in rows} == {"bob", "carol"}

    def test_strangers_are_not(self, live: LiveApp) -> None:
        for headers in ({}, {"x-api-key": "gh_dev_garbage"}, {"authorization": "Bearer x"}):
            with live.client(headers) as stranger:
                stranger.get("/api/me")
        assert audited(live) == []

    def test_limits_are_on_record_also_on_a_socket(self, live: LiveApp, client: httpx.Client) -> None:
        while datetime.now(UTC).second > 50:  # not around the end of a minute
            time.sleep(0.2)
        body = {"input": {"input": "x"}}
        with client.stream("POST", "/endless/stream", json=body) as response:
            lines = response.iter_lines()  # kept: the connection ends with it
            next(lines)
            with live.client() as other:
                for _ in range(3):
                    assert other.post("/api/chat", json={"query": "x"}).status_code == 429
            url = live.url.replace("http", "ws") + "/ws/chat/?events=run"
            with connect(url, additional_headers=bearer(), proxy=None) as socket:
                socket.send('{"message": "x"}')
                assert "quota-exceeded" in str(socket.recv(5))
        [hit] = audited(live, action="limit.hit")
        assert (hit["subject"], hit["outcome"], hit["user_id"]) == ("runs", "refused", "alice")


class TestReading:
    def test_is_of_the_own_tenant(self, live: LiveApp, client: httpx.Client) -> None:
        client.post("/api/keys", json={"user_id": "bob"})
        assert len(audited(live)) == 1
        assert audited(live, tenant="beta") == []

    def test_is_narrowed_and_paged(self, live: LiveApp, client: httpx.Client) -> None:
        for user in ("ann", "bob", "carol"):
            client.post("/api/keys", json={"user_id": user})
        assert len(audited(live, user="alice", action="key.create")) == 3
        assert audited(live, user="ann") == []
        later = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
        assert audited(live, since=later) == []
        assert len(audited(live, until=later)) == 3
        first = client.get("/api/audit?limit=2").json()
        rest = client.get("/api/audit", params={"limit": 2, "cursor": first["next_cursor"]}).json()
        assert [len(first["items"]), len(rest["items"])] == [2, 1]
        assert rest["next_cursor"] is None

    @pytest.mark.parametrize(
        ("query", "status"),
        [
            ("cursor=garbage", 400),
            ("cursor=" + "x" * 500, 422),
            ("action=nothing", 422),
            ("since=yesterday", 422),
            ("since=2026-01-01T00:00:00", 422),  # of which time zone?
            ("user=%00", 422),
            ("user=" + "u" * 300, 422),
            ("limit=0", 422),
            ("limit=100000", 422),
            ("since=0001-01-01T00:00:00%2B14:00", 422),
        ],
    )
    def test_refuses_what_it_cannot_read(self, client: httpx.Client, query: str, status: int) -> None:
        assert client.get(f"/api/audit?{query}").status_code == status
