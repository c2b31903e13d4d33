"""Tools and chains see the caller's identity, whatever a client puts into its request."""

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from live_app import LiveApp, bearer, serving
from probe_runnables import Endless, probes

FORGED = {
    "user_id": "mallory",
    "tenant_id": "evil",
    "scopes": ["admin"],
    "user_name": "M",
    "portfolio_id": "p-9",
    "claims": {"portfolio_id": "p-9"},
}
FORGERIES: dict[str, Any] = {
    "configurable": {"configurable": {**FORGED, "__call": "x", "__pregel_x": 1}},
    "top level": FORGED,
    "both": {"configurable": FORGED, **FORGED},
    "metadata and tags": {"metadata": FORGED, "tags": ["admin"], "run_id": "x", "run_name": "x"},
    "limits": {"recursion_limit": 10**9, "max_concurrency": -1, "configurable": {"recursion_limit": 10**9}},
}
REAL = {
    "user_id": "alice", "tenant_id": "acme", "user_name": "Alice", "scopes": ["*"],
    "portfolio_id": "p-1", "claims": {"portfolio_id": "p-1"},
}  # fmt: skip
SERVERS_OWN = {"thread_id", "run_id", "attempt", "recursion_limit"}
ENDPOINTS = ("invoke", "batch", "stream", "stream_events", "stream_log")


@pytest.fixture
def alice() -> dict[str, str]:
    return bearer(portfolio_id="p-1")


def identities(client: httpx.Client, endpoint: str, config: Any) -> list[dict[str, Any]]:
    """Return what /identity saw in `configurable`, of each item."""
    question = {"input": "who am I?"}
    body = {"inputs": [question] * 3} if endpoint == "batch" else {"input": question}
    response = client.post(f"/identity/{endpoint}", json={**body, "config": config})
    assert response.status_code == 200, response.text
    if endpoint in ("invoke", "batch"):
        output = response.json()["output"]
        return [json.loads(seen) for seen in (output if endpoint == "batch" else [output])]
    frames = [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: ")]
    return [json.loads(text) for text in strings(frames) if '"tenant_id"' in text]


def strings(value: Any) -> list[str]:
    """Return every string inside parsed JSON."""
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for item in items for text in strings(item)]


@pytest.fixture(scope="module")
def lenient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    """Drops what a client may not configure, as LangServe does; by default it is refused."""
    folder = tmp_path_factory.mktemp("lenient")
    with serving(folder, probes(Endless()), unknown_configurable="ignore") as server:
        yield server


class TestForgery:
    @pytest.mark.parametrize("endpoint", ENDPOINTS)
    @pytest.mark.parametrize("forgery", ["configurable", "both", "limits"])
    def test_is_refused_by_name(
        self, shared: LiveApp, alice: dict[str, str], endpoint: str, forgery: str
    ) -> None:
        config = FORGERIES[forgery]
        body = {"inputs": [{"input": "x"}]} if endpoint == "batch" else {"input": {"input": "x"}}
        with shared.client(alice) as client:
            refused = client.post(f"/identity/{endpoint}", json={**body, "config": config})
        assert refused.status_code == 422
        assert sorted(config["configurable"].keys() - {"__call", "__pregel_x"})[0] in refused.json()["detail"]

    @pytest.mark.parametrize("endpoint", ENDPOINTS)
    @pytest.mark.parametrize("forgery", FORGERIES)
    def test_identity_is_the_token_s(
        self, lenient: LiveApp, alice: dict[str, str], endpoint: str, forgery: str
    ) -> None:
        with lenient.client(alice) as client:
            seen = identities(client, endpoint, FORGERIES[forgery])
        assert seen
        for identity in seen:
            assert {name: identity[name] for name in REAL} == REAL
            assert identity.keys() == REAL.keys() | SERVERS_OWN
            assert identity["recursion_limit"] == lenient.settings.recursion_limit

    def test_batch_items_with_a_config_each_have_the_token_s_identity(
        self, lenient: LiveApp, alice: dict[str, str]
    ) -> None:
        configs = [{"configurable": FORGED}, {}, FORGED]
        with lenient.client(alice) as client:
            seen = identities(client, "batch", configs)
        assert [identity["user_id"] for identity in seen] == ["alice"] * 3
        assert len({identity["run_id"] for identity in seen}) == 3

    @pytest.mark.parametrize("endpoint", ENDPOINTS)
    def test_tools_do_not_take_the_user_from_the_model(
        self, lenient: LiveApp, alice: dict[str, str], endpoint: str
    ) -> None:
        question = {"input": '[tool who_is_calling {"user_id": "mallory"}]'}
        body = {"inputs": [question]} if endpoint == "batch" else {"input": question}
        with lenient.client(alice) as client:
            text = client.post(f"/bare/{endpoint}", json={**body, "config": {"configurable": FORGED}}).text
        assert "alice/acme/p-1" in text
        assert not re.search("mallory/|/evil|/p-9", text)

    @pytest.mark.parametrize("header", ["x-user-id", "x-tenant-id", "x-forwarded-user", "user-agent"])
    def test_headers_name_nobody(self, shared: LiveApp, alice: dict[str, str], header: str) -> None:
        with shared.client({**alice, header: "mallory"}) as client:
            assert identities(client, "invoke", {})[0]["user_id"] == "alice"

    def test_kwargs_of_a_client_are_not_passed_on(self, shared: LiveApp, alice: dict[str, str]) -> None:
        body = {"input": {"input": "x"}, "kwargs": {"config": {"configurable": FORGED}, "user_id": "mallory"}}
        with shared.client(alice) as client:
            assert '\\"user_id\\": \\"alice\\"' in client.post("/identity/invoke", json=body).text


class TestTwoUsers:
    async def test_two_hundred_interleaved_calls_do_not_mix(self, shared: LiveApp) -> None:
        async with (
            shared.aclient(bearer("alice", "acme")) as alice,
            shared.aclient(bearer("bob", "beta")) as bob,
        ):
            free = asyncio.Semaphore(24)

            async def ask(client: httpx.AsyncClient) -> str:
                async with free:
                    return await who(client)

            seen = await asyncio.gather(*(ask(client) for _ in range(100) for client in (alice, bob)))
        assert seen == ["alice/acme", "bob/beta"] * 100


async def who(client: httpx.AsyncClient) -> str:
    """Return who is calling, as a runnable that runs in the middle of other calls sees it."""
    response = await client.post("/identity/invoke", json={"input": {"input": "who am I?"}})
    seen = json.loads(response.json()["output"])
    return f"{seen['user_id']}/{seen['tenant_id']}"


class TestScopes:
    @pytest.mark.parametrize("endpoint", ENDPOINTS)
    def test_a_runnable_wants_its_scope(self, shared: LiveApp, endpoint: str) -> None:
        body = {"inputs": [{"input": "x"}]} if endpoint == "batch" else {"input": {"input": "x"}}
        with shared.client(bearer(scopes=["runnable:chat", "runnable:vault"])) as client:
            response = client.post(f"/vault/{endpoint}", json=body)
        assert response.status_code == 403
        assert response.json()["scope"] == "vault:open"
        assert 'scope="vault:open"' in response.headers["www-authenticate"]

    @pytest.mark.parametrize("page", ["input_schema", "output_schema", "config_schema", "playground/"])
    def test_its_pages_want_it_too(self, shared: LiveApp, page: str) -> None:
        with shared.client(bearer(scopes=["runnable:chat"])) as client:
            assert client.get(f"/vault/{page}").status_code == 403
            assert client.get(f"/chat/{page}").status_code == 200

    def test_the_scope_opens_it(self, shared: LiveApp) -> None:
        with shared.client(bearer(scopes=["vault:open"])) as client:
            assert client.post("/vault/invoke", json={"input": {"input": "x"}}).status_code == 200
