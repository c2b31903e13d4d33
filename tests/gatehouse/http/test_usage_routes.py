"""/api/me and /api/usage over real HTTP."""

from collections.abc import Iterator

import httpx
import pytest
from live_app import LiveApp, bearer


@pytest.fixture
def client(shared: LiveApp) -> Iterator[httpx.Client]:
    with shared.client(bearer("ursula", "books", scopes=["runnable:chat"])) as client:
        yield client


class TestMe:
    def test_is_who_the_credential_names_with_what_is_left(self, client: httpx.Client) -> None:
        me = client.get("/api/me").json()
        assert me.pop("expires_at") > 1_790_000_000
        limits = me.pop("limits")
        assert me == {
            "tenant_id": "books", "user_id": "ursula", "name": "Ursula", "scopes": ["runnable:chat"],
            "credential": "jwt", "plan": "default",
        }  # fmt: skip
        assert [limit["name"] for limit in limits] == [
            "requests", "runs", "tokens", "tenant-requests", "tenant-runs", "tenant-tokens",
        ]  # fmt: skip


def test_every_call_of_somebody_is_documented_to_be_limited(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    signed_in = [operation for operation in operations if "security" in operation]
    assert len(signed_in) > 20
    assert all({"429", "503"} <= operation["responses"].keys() for operation in signed_in)


class TestUsage:
    def test_tells_what_the_caller_s_runs_used(self, client: httpx.Client, shared: LiveApp) -> None:
        answer = client.post("/api/chat", json={"query": "[tokens 7]"}).json()
        shared.eventually(lambda: client.get("/api/usage").json()["items"])
        usage = client.get("/api/usage").json()
        [item] = usage["items"]
        assert (item["runnable"], item["runs"], item["output_tokens"]) == ("chat", 1, 7)
        assert usage["total_tokens"] == answer["usage"]["total_tokens"]
        assert usage["last"] == item["day"]

    def test_of_the_tenant_needs_a_scope(self, client: httpx.Client, shared: LiveApp) -> None:
        refused = client.get("/api/usage", params={"of": "tenant"})
        assert refused.status_code == 403
        assert refused.json()["scope"] == "usage:read"
        with shared.client(bearer("ute", "books", scopes=["usage:read"])) as ute:
            assert ute.get("/api/usage", params={"of": "tenant"}).status_code == 200

    def test_of_another_tenant_is_not_told(self, client: httpx.Client, shared: LiveApp) -> None:
        client.post("/api/chat", json={"query": "[tokens 7]"})
        shared.eventually(lambda: client.get("/api/usage").json()["items"])
        with shared.client(bearer("olga", "other")) as olga:
            assert olga.get("/api/usage", params={"of": "tenant"}).json()["items"] == []

    @pytest.mark.parametrize(
        "query",
        [
            "first=2026-02-30",
            "first=x",
            "first=2020-01-01&last=2026-01-01",
            "last=0001-01-01&first=9999-12-31",
            "of=all",
        ],
    )
    def test_of_an_impossible_range_is_a_422(self, client: httpx.Client, query: str) -> None:
        assert client.get(f"/api/usage?{query}").status_code == 422
