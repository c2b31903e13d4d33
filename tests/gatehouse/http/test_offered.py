"""What a tenant is not offered does not exist for it, whichever way it asks."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from langchain_core.runnables import RunnableLambda
from live_app import LiveApp, bearer, serving
from websockets.sync.client import connect

from chains.registry import REGISTRY
from gatehouse.lifespan.parts import check_lists
from gatehouse.registry.entry import Entry
from gatehouse.registry.loading import load_registry
from gatehouse.registry.offered import is_offered
from gatehouse.settings import Settings
from gatehouse.storage.opening import CannotStart

LISTS = {"acme": ["chat"], "beta": ["*"]}
ENDPOINTS = [
    ("POST", "invoke"), ("POST", "batch"), ("POST", "stream"), ("POST", "stream_log"),
    ("POST", "stream_events"), ("GET", "input_schema"), ("GET", "output_schema"), ("GET", "config_schema"),
    ("GET", "playground/"), ("GET", "playground/index.html"), ("GET", "invoke"), ("DELETE", "stream"),
    ("GET", ""), ("POST", "nothing"),
]  # fmt: skip


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    with serving(tmp_path_factory.mktemp("listed"), tenant_runnables=LISTS) as live:
        yield live


def answer(client: httpx.Client, method: str, path: str) -> tuple[int, dict[str, str]]:
    response = client.request(method, path, content=b"{")
    body = response.json()
    return response.status_code, {**body, "instance": ""}


@pytest.mark.parametrize(("method", "endpoint"), ENDPOINTS)
def test_its_routes_answer_as_if_there_were_none(listed: LiveApp, method: str, endpoint: str) -> None:
    with listed.client() as client:
        assert answer(client, method, f"/agent/{endpoint}") == answer(client, method, f"/no-such/{endpoint}")


def test_another_tenant_has_it(listed: LiveApp) -> None:
    with listed.client(bearer("bob", "beta")) as client:
        response = client.post("/agent/invoke", json={"input": {"input": "[say hello]"}})
        assert response.status_code == 200
        assert client.get("/agent/playground/").status_code == 200


def test_a_tenant_that_no_list_names_has_nothing(listed: LiveApp) -> None:
    with listed.client(bearer("carol", "gamma")) as client:
        assert client.post("/chat/invoke", json={"input": {"input": "x"}}).status_code == 404
        assert client.post("/api/chat", json={"query": "x"}).status_code == 404
        assert client.post("/api/threads", json={}).status_code == 404


@pytest.mark.parametrize("path", ["/api/chat", "/api/chat/stream", "/api/stream"])
def test_the_run_api_does_not_find_it(listed: LiveApp, path: str) -> None:
    with listed.client() as client:
        hidden, unknown = (
            client.post(path, json={"query": "x", "runnable": name}) for name in ("agent", "no")
        )
        assert (hidden.status_code, hidden.json()["detail"]) == (404, unknown.json()["detail"])
        address = {"query": "x", "runnable": "agent"}
        if path != "/api/chat":
            assert client.get(path, params=address).status_code == 404
        assert client.post(path, json={"query": "[say hello]"}).status_code == 200


def test_threads_do_not_begin_with_it(listed: LiveApp) -> None:
    with listed.client() as client:
        assert client.post("/api/threads", json={"runnable": "agent"}).status_code == 404
        assert client.post("/api/threads", json={"runnable": "chat"}).status_code == 201


def test_the_websocket_does_not_find_it(listed: LiveApp) -> None:
    url = f"ws://127.0.0.1:{listed.port}/ws/chat/?events=run"
    with connect(url, additional_headers=bearer(), proxy=None) as socket:
        socket.send(json.dumps({"message": "x", "runnable": "agent"}))
        assert json.loads(socket.recv(10))["problem"]["status"] == 404


def test_pages_and_the_openapi_document_do_not_name_it(listed: LiveApp) -> None:
    with listed.client() as client:
        assert "/agent/" not in client.get("/").text
        paths = client.get("/openapi.json").json()["paths"]
        assert not [path for path in paths if path.startswith("/agent")]
        assert [path for path in paths if path.startswith("/chat/")]
        assert "summariz" not in client.get("/openapi.json").text.lower()  # its schemas neither
        assert [item["name"] for item in client.get("/api/runnables").json()["items"]] == LISTS["acme"]
    with listed.client(bearer("bob", "beta")) as client:
        assert "/agent/playground/" in client.get("/").text
        assert "/agent/invoke" in client.get("/openapi.json").json()["paths"]


def test_the_openapi_document_does_not_name_one_with_a_longer_path(tmp_path: Path) -> None:
    entries = [
        Entry(path, lambda _: RunnableLambda(str.upper).with_types(input_type=str), "Says it louder.")
        for path in ("/team/shown", "/team/hidden", "/team")
    ]
    with (
        serving(tmp_path, entries, tenant_runnables={"acme": ["team/shown"]}) as live,
        live.client() as client,
    ):
        paths = client.get("/openapi.json").json()["paths"]
    assert {path.removesuffix("/invoke") for path in paths if path.endswith("/invoke")} == {"/team/shown"}


class TestLists:
    @pytest.mark.parametrize(
        ("lists", "tenant", "expected"),
        [
            (None, "acme", True),
            ({}, "acme", False),
            ({"acme": ["chat"]}, "acme", True),
            ({"acme": ["agent"]}, "acme", False),
            ({"acme": []}, "acme", False),
            ({"acme": ["*"]}, "acme", True),
            ({"beta": ["chat"]}, "acme", False),
            ({"beta": [], "*": ["chat"]}, "acme", True),
            ({"acme": [], "*": ["chat"]}, "acme", False),
        ],
    )
    def test_decide(self, lists: dict[str, list[str]] | None, tenant: str, expected: bool) -> None:
        settings = Settings(_env_file=None, tenant_runnables=lists)
        assert is_offered(settings, tenant, "chat") is expected

    def test_come_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GATEHOUSE_TENANT_RUNNABLES", '{"acme": ["chat"]}')
        assert Settings(_env_file=None).tenant_runnables == {"acme": ("chat",)}

    def test_that_name_what_is_not_served_stop_the_start(self) -> None:
        settings = Settings(_env_file=None, tenant_runnables={"acme": ["chat", "chta"]})
        with pytest.raises(CannotStart, match="GATEHOUSE_TENANT_RUNNABLES.*chta$"):
            check_lists(settings, load_registry(REGISTRY))
