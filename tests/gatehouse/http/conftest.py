"""Servers with the real routes and middleware, for one test or for all of them, and what they log."""

import io
import logging
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import structlog
from langserve import RemoteRunnable
from live_app import LiveApp, Remote, Serve, bearer, serving
from probe_runnables import Endless, probes

from gatehouse.telemetry.logs import configure_logging

# What LangServe 0.3.3, which is in maintenance, uses of pydantic
LANGSERVE_WARNINGS = ("ignore:Accessing the 'model_fields' attribute on the instance is deprecated",)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = f"{Path(__file__).parent}{os.sep}"
    for item in items:
        if str(item.path).startswith(here):
            item.add_marker(pytest.mark.filterwarnings(*LANGSERVE_WARNINGS))


@pytest.fixture(autouse=True)
def logged(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What the server logs: JSON lines, as on its stderr. No test leaves a request behind."""
    stderr = io.StringIO()
    root, configure = logging.getLogger(), structlog.configure
    handlers, level = root.handlers, root.level

    def without_cache(**options: Any) -> None:  # a logger that was used keeps its configuration otherwise
        configure(**{**options, "cache_logger_on_first_use": False})

    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", stderr)
        patch.setattr(structlog, "configure", without_cache)
        configure_logging("info", pretty=False)
    yield stderr
    if "shared" in request.fixturenames:
        live: LiveApp = request.getfixturevalue("shared")
        live.eventually(lambda: not live.requests)
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def endless() -> Endless:
    """The runnable under /endless of the shared server."""
    return Endless()


@pytest.fixture(scope="session")
def shared(endless: Endless, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    """One server for every test that leaves no trace: it serves the registry and the probes."""
    with serving(tmp_path_factory.mktemp("shared"), probes(endless)) as live:
        yield live


@pytest.fixture
async def remote(shared: LiveApp) -> AsyncIterator[Remote]:
    """Make LangServe's client of a runnable of the shared server, for alice or for what the headers say."""
    made: list[RemoteRunnable[Any, Any]] = []

    def client_of(path: str, headers: dict[str, str] | None = None) -> RemoteRunnable[Any, Any]:
        made.append(RemoteRunnable(shared.url + path, headers=headers or bearer(), timeout=20))
        return made[-1]

    yield client_of
    for client in made:
        client.sync_client.close()
        await client.async_client.aclose()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start a server of the runnables with these paths, of the registry or the probes, with settings."""
    with ExitStack() as stack:

        def start(*paths: str, **settings: Any) -> LiveApp:
            registry = [entry for entry in probes(Endless()) if entry.path in paths]
            return stack.enter_context(serving(tmp_path, registry, **settings))

        yield start
