"""What `gatehouse serve` does when the server is up, or was ended. The server itself is left out."""

import asyncio
import http.server
import threading
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cli_results import Run, failure_of
from live_server import LiveServer

from chains.registry import REGISTRY
from gatehouse.cli.serving.serve import model_at, question_of, served_at
from gatehouse.cli.stores import open_api_keys
from gatehouse.process import server as app_server
from gatehouse.process.endings import CutOff
from gatehouse.process.listening import listen
from gatehouse.process.server import OneWorker, run_one
from gatehouse.settings import Settings

pytestmark = pytest.mark.usefixtures("migrated")


def announce_one(settings: Settings, _listener: object, announce: Callable[[Any], Awaitable[None]]) -> None:
    """Do what `run_one` does when its server is up, and no more."""

    async def up() -> None:
        async with open_api_keys(settings) as api_keys:
            model = SimpleNamespace(label="a model")
            entries = {entry.name: entry for entry in REGISTRY}
            await announce(
                SimpleNamespace(
                    authenticator=SimpleNamespace(api_keys=api_keys), model=model, entries=entries
                )
            )

    asyncio.run(up())


@pytest.fixture(autouse=True)
def nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatehouse.process.server.run_one", announce_one)
    monkeypatch.setattr(
        "gatehouse.process.workers.run_many", lambda _settings, _workers, _listener, announce: announce()
    )
    monkeypatch.setattr("gatehouse.cli.serving.serve.model_at", lambda _url: "a model")
    monkeypatch.setattr(
        "gatehouse.cli.serving.serve.served_at", lambda _url, _key: [{"name": "agent", "example": "Hi?"}]
    )


class NotReady(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"detail": "The keys are not there."}'
        self.send_response(503)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_workers_that_wait_for_their_issuer_say_so() -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), NotReady) as waiting:
        threading.Thread(target=waiting.handle_request, daemon=True).start()
        told = model_at(f"http://127.0.0.1:{waiting.server_port}")
    assert told == "not ready yet: The keys are not there."


@pytest.mark.parametrize("accepts", [True, False])
def test_workers_that_died_meanwhile_do_not_end_their_supervisor(
    monkeypatch: pytest.MonkeyPatch, accepts: bool
) -> None:
    monkeypatch.setattr("gatehouse.cli.serving.serve.ANSWER_SECONDS", 0.1)
    with listen("127.0.0.1", 0) as listener:
        if accepts:  # into its queue, where nobody takes it from
            listener.listen()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert model_at(url) == "not known yet: no worker answers"
        assert served_at(url, "a key") == []


class TestAnnouncing:
    def test_names_the_port_that_was_free(self, run: Run) -> None:
        first = run("serve", "--port", "0").stdout.splitlines()[1]
        assert "http://127.0.0.1:" in first
        assert not first.endswith(":0")

    def test_prints_the_same_keys_each_time(self, run: Run, migrated: Path) -> None:
        first, second = (run("serve", "--port", "0").stdout for _ in range(2))
        keys = [
            [line for line in text.splitlines() if " of " in line and "gh_dev_" in line]
            for text in (first, second)
        ]
        assert keys[0] == keys[1]
        assert len(keys[0]) == 2

    def test_makes_a_new_link_each_time(self, run: Run) -> None:
        links = {run("serve", "--port", "0").stdout.partition("link=")[2].split()[0] for _ in range(2)}
        assert len(links) == 2

    def test_prints_the_link_that_was_set(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GATEHOUSE_START_LINK", "the-link-of-an-embedder")
        assert "/signin?link=the-link-of-an-embedder\n" in run("serve", "--port", "0").stdout

    def test_of_several_workers_is_the_same(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GATEHOUSE_REDIS_URL", "redis://127.0.0.1:1")
        output = run("serve", "--port", "0", "--workers", "2").stdout
        assert "Chat model: a model\n" in output
        assert "\nalice of acme: gh_dev_" in output

    @pytest.mark.parametrize("workers", ["1", "2"])
    def test_says_nothing_in_production(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, workers: str
    ) -> None:
        for name, value in {
            "ENVIRONMENT": "production",
            "DATABASE_URL": "sqlite+aiosqlite:///data/gatehouse.db",
            "REDIS_URL": "redis://127.0.0.1:1",
            "API_KEY_PEPPER": "x" * 32,
            "JWT_SECRET": "x" * 32,
        }.items():
            monkeypatch.setenv(f"GATEHOUSE_{name}", value)
        result = run("serve", "--port", "0", "--workers", workers)
        assert (result.exit_code, result.output) == (0, "")


def test_the_workers_say_which_model_answers_and_what_they_serve(server: LiveServer) -> None:
    assert model_at(server.url).startswith("scripted")
    served = {item["name"]: item["example"] for item in served_at(server.url, server.keys["alice"])}
    assert served == {entry.name: entry.example for entry in REGISTRY}


@pytest.mark.parametrize(
    ("served", "asked"),
    [
        ([("chat", ""), ("agent", "How?"), ("other", "What?")], ("agent", "How?")),
        ([("chat", ""), ("other", "")], ("chat", "Hello!")),
    ],
)
def test_asks_the_first_runnable_with_an_example(
    served: list[tuple[str, str]], asked: tuple[str, str]
) -> None:
    assert question_of(served) == asked


class TestCutOff:
    def test_is_told(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        def end(*_arguments: object) -> None:
            raise CutOff

        monkeypatch.setattr("gatehouse.process.server.run_one", end)
        assert failure_of(run("serve", "--port", "0")) == "stopped before open streams had ended"

    @pytest.mark.parametrize("started", [True, False])
    def test_is_what_a_second_signal_does_to_a_server_that_serves(
        self, monkeypatch: pytest.MonkeyPatch, started: bool
    ) -> None:
        async def announce(_services: object) -> None: ...

        def end(server: OneWorker, _sockets: object) -> None:
            server.started = started
            raise asyncio.CancelledError

        monkeypatch.setattr(OneWorker, "run", end)
        monkeypatch.setattr(app_server, "configure_server_logging", lambda _settings: None)
        with listen("127.0.0.1", 0) as listener, pytest.raises(CutOff) if started else nullcontext():
            run_one(Settings(_env_file=None), listener, announce)
