"""The command in this process, as alice of the server that runs."""

import pytest
from cli_results import Run
from live_server import LiveServer


@pytest.fixture
def alice(server: LiveServer, run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `gatehouse chat` with these arguments; `run` runs any command with the same variables."""
    monkeypatch.setenv("GATEHOUSE_URL", server.url)
    monkeypatch.setenv("GATEHOUSE_API_KEY", server.keys["alice"])
    return lambda *arguments, **more: run("chat", *arguments, **more)
