"""The application as a whole: who may call what, and how every error looks."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi.routing import iter_route_contexts
from langchain_core.runnables import RunnableLambda
from live_server import LiveServer
from starlette.routing import WebSocketRoute

from gatehouse.main import create_app
from gatehouse.registry.checked import BadRegistry
from gatehouse.registry.entry import Entry
from gatehouse.settings import Settings

ORIGIN = "https://app.example"


@pytest.fixture
def nobody(server: LiveServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=10) as client:
        yield client


@pytest.fixture
def alice(server: LiveServer) -> Iterator[httpx.Client]:
    headers = {"x-api-key": server.keys["alice"]}
    with httpx.Client(base_url=server.url, headers=headers, timeout=10) as client:
        yield client


class TestDefaultDeny:
    """tests/security/test_route_matrix.py asks every route so."""

    @pytest.mark.parametrize("path", ["/chat/invoke", "/api/chat/stream", "/v1/chat/completions"])
    def test_a_credential_is_wanted_before_the_body_is_read(self, nobody: httpx.Client, path: str) -> None:
        assert nobody.post(path, content=b"{").status_code == 401

    @pytest.mark.parametrize(
        "path",
        [
            "//chat/invoke",
            "/chat%2finvoke",
            "/livez/../chat/invoke",
            "/livez/",
            "/LIVEZ",
            "/livez%00",
            "/nowhere",
        ],
    )
    def test_no_spelling_of_a_path_leads_around_it(self, nobody: httpx.Client, path: str) -> None:
        assert nobody.post(path, json={"input": {"input": "x"}}).status_code == 401
        assert nobody.get(path, headers={"host": "localhost/livez"}).status_code == 401


class TestErrors:
    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/nowhere", 404),
            ("GET", "/chat/c/N4XyA/invoke", 405),
            ("GET", "/chat/invoke", 405),
            ("DELETE", "/livez", 405),
            ("PUT", "/api/chat", 405),
            ("OPTIONS", "/api/chat", 405),
            ("GET", "/chat/playground/x", 404),
            ("GET", "/docs/x", 404),
            ("GET", "/api/runs/x", 404),
            ("GET", "/api/runs/x/stream?last_event_id=x", 400),
            ("GET", "/api/chat/stream", 422),
            ("POST", "/api/chat/stream", 415),
            ("POST", "/chat/stream", 422),  # no JSON, as on LangServe
        ],
    )
    def test_every_one_is_a_problem_with_the_request_s_id(
        self, alice: httpx.Client, method: str, path: str, status: int
    ) -> None:
        response = alice.request(method, path)
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"
        problem = response.json()
        assert problem["instance"] == f"urn:gatehouse:request:{response.headers['x-request-id']}"
        assert problem["status"] == status
        assert problem["title"]
        assert problem["detail"]

    def test_401_too(self, nobody: httpx.Client) -> None:
        response = nobody.get("/api/me")
        assert response.json()["instance"].endswith(response.headers["x-request-id"])
        assert response.headers["cache-control"] == "no-store"

    def test_a_405_says_what_is_allowed(self, alice: httpx.Client) -> None:
        assert alice.put("/chat/invoke").headers["allow"] == "POST"


class TestRedirects:
    def test_of_a_playground_names_no_host(self, alice: httpx.Client) -> None:
        answer = alice.get("/chat/playground", headers={"host": "elsewhere.example"})
        assert (answer.status_code, answer.headers["location"]) == (307, "playground/")
        assert alice.get("/chat/playground", follow_redirects=True).status_code == 200

    @pytest.mark.parametrize("path", ["/api/threads/", "/docs/", "/api/chat/", "/chat/invoke/", "/mcp/"])
    def test_there_are_none_for_a_slash(self, alice: httpx.Client, path: str) -> None:
        answer = alice.get(path, headers={"host": "elsewhere.example"})
        assert (answer.status_code, "location" in answer.headers) == (404, False)


class TestSecurityHeaders:
    @pytest.mark.parametrize("path", ["/livez", "/", "/chat/playground/", "/nowhere", "/chat/input_schema"])
    def test_are_everywhere(self, alice: httpx.Client, path: str) -> None:
        headers = alice.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["content-security-policy"].startswith("default-src 'self'")
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert "server" not in headers


class TestCreateApp:
    def test_settings_come_from_the_environment(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("GATEHOUSE_ALLOWED_ORIGINS", ORIGIN)
        assert create_app().title == "Gatehouse"
        monkeypatch.setenv("GATEHOUSE_RUN_DEADLINE", "soon")
        with pytest.raises(ValueError, match="run_deadline"):
            create_app()

    def test_another_registry_is_served_instead(self) -> None:
        entry = Entry("/mine", lambda _: RunnableLambda(str), "Mine.")
        app = create_app(Settings(_env_file=None), [entry])
        paths = {str(route.path) for route in iter_route_contexts(app.routes)}
        assert "/mine/invoke" in paths
        assert "/chat/invoke" not in paths

    def test_a_bad_registry_is_refused(self) -> None:
        entry = Entry("/mine", lambda _: None, "")  # type: ignore[arg-type,return-value]
        with pytest.raises(BadRegistry, match="/mine"):
            create_app(Settings(_env_file=None), [entry])

    def test_two_runnables_whose_models_have_the_same_name_keep_their_own(self) -> None:
        """LangServe gives the second one the first one's model, unless their names differ."""
        entries = [
            Entry("/number", lambda _: RunnableLambda(str), "A number.", output_type=int),
            Entry("/text", lambda _: RunnableLambda(str), "A text.", output_type=str),
        ]
        schemas = create_app(Settings(_env_file=None), entries).openapi()["components"]["schemas"]
        assert schemas["number_output"]["type"] == "integer"
        assert schemas["text_output"]["type"] == "string"

    def test_opening_it_needs_no_connection(self) -> None:
        assert not any(
            isinstance(route, WebSocketRoute) for route in create_app(Settings(_env_file=None), []).routes
        )
