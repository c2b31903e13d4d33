"""`gatehouse routes`."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cli_results import Run, data_of, failure_of

from chains.registry import REGISTRY
from gatehouse.cli.routes import need
from gatehouse.main import PATHS


@pytest.fixture
def routes(run: Run) -> dict[tuple[str, str], str]:
    """What each method and path needs."""
    return {
        (method, route["path"]): route["needs"]
        for route in data_of(run("routes", "--json"))
        for method in route["methods"]
    }


def test_every_runnable_needs_its_scope(routes: dict[tuple[str, str], str]) -> None:
    for entry in REGISTRY:
        for endpoint in ("invoke", "batch", "stream", "stream_log", "stream_events"):
            assert routes["POST", f"{entry.path}/{endpoint}"] == entry.required_scope
        assert routes["GET", f"{entry.path}/playground/{{file_path:path}}"] == entry.required_scope


def test_of_runnables_whose_names_begin_alike_each_needs_its_own() -> None:
    named = [SimpleNamespace(path=f"/{name}", required_scope=name) for name in ("chat", "chat-two")]
    registry: Any = SimpleNamespace(entries=named)
    for path, scope in (("/chat/invoke", "chat"), ("/chat-two/invoke", "chat-two"), ("/chats", "signed in")):
        route: Any = SimpleNamespace(path=path, methods={"POST"}, path_regex=re.compile(path))
        assert need(route, registry) == scope


def test_the_rest_needs_a_credential(routes: dict[tuple[str, str], str]) -> None:
    assert routes["POST", "/api/chat"] == "signed in"
    assert routes["DELETE", "/auth/session"] == "signed in"
    assert routes["WEBSOCKET", "/ws/chat/"] == "signed in"


def test_public_is_what_needs_none(routes: dict[tuple[str, str], str]) -> None:
    public = {route for route, needs in routes.items() if needs == "public"}
    pages = {(method, path) for method, path in PATHS.public if not path.startswith("/signin.")}
    assert public == pages | {("GET", "/signin.{kind}")}


def test_each_is_listed_once_and_no_line_is_broken(run: Run, routes: dict[tuple[str, str], str]) -> None:
    listed = run("routes").stdout.splitlines()
    assert len(listed) - 2 == len(data_of(run("routes", "--json")))
    assert len(set(listed)) == len(listed)


def test_nothing_is_opened_for_it(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEHOUSE_DATABASE_URL", "postgresql+psycopg://127.0.0.1:1/nothing")
    monkeypatch.setenv("GATEHOUSE_REDIS_URL", "redis://127.0.0.1:1")
    monkeypatch.setenv("GATEHOUSE_MODEL", "nonsense")
    assert run("routes").exit_code == 0
    assert not (home / "data").exists()


def test_a_registry_that_cannot_be_served_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEHOUSE_REGISTRY", "broken_registries:NO_SLASH")
    assert failure_of(run("routes")).startswith("registry: broken_registries:NO_SLASH: 'no-slash'")
