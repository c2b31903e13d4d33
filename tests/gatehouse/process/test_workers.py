"""How several workers start and end. Their application is light; the supervisor is the real one."""

import asyncio
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import uvicorn
from structlog.testing import capture_logs

from gatehouse.models.embedded.server import SHARED, LlamaServer, run_llama_server
from gatehouse.process import worker, workers
from gatehouse.process.endings import StartFailed
from gatehouse.process.fork_server import held_back
from gatehouse.process.listening import listen
from gatehouse.process.workers import Worker, Workers, draining_server, run_many
from gatehouse.registry.checked import BadRegistry
from gatehouse.settings import Settings
from gatehouse.storage.opening import open_redis


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """Give the signals back that a supervisor takes."""
    before = {number: signal.getsignal(number) for number in signal.valid_signals()}
    yield
    for number, handler in before.items():
        if signal.getsignal(number) is not handler:
            signal.signal(number, handler)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with listen("127.0.0.1", 0) as listener:
        yield listener


def supervise(
    application: str, listener: socket.socket, when_ready: Callable[[Workers, str], None], **options: Any
) -> Workers:
    """Run two workers until they have ended; `when_ready` is called in a thread with the address."""
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    def announce() -> None:
        thread.start()

    config = uvicorn.Config(
        f"light_workers:{application}", factory=True, workers=2, log_config=None, timeout_graceful_shutdown=20,
        **options,
    )  # fmt: skip
    supervisor = Workers(config, listener, announce)
    thread = threading.Thread(target=when_ready, args=(supervisor, url))
    supervisor.run()
    if thread.ident is not None:
        thread.join()
    return supervisor


@pytest.fixture
def fork_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[forkserver.ForkServer]:
    """A fork server that may be killed: the tests' servers are processes of another."""
    server = forkserver.ForkServer()
    for name in ("ensure_running", "connect_to_new_process", "set_forkserver_preload"):
        monkeypatch.setattr(forkserver, name, getattr(server, name))
    yield server
    server._stop()  # type: ignore[attr-defined]


class TestWorkers:
    def test_first_signal_lets_responses_end(self, listener: socket.socket) -> None:
        texts: list[str] = []

        def use(supervisor: Workers, url: str) -> None:
            with httpx.stream("GET", url) as response:
                parts = response.iter_text()
                texts.append(next(parts))
                supervisor.signal_queue.append(signal.SIGTERM)
                texts.extend(parts)

        supervisor = supervise("served", listener, use)
        assert texts == ["first ", "last"]
        assert not supervisor.failed

    def test_second_signal_ends_them_at_once(self, listener: socket.socket) -> None:
        failures: list[Exception] = []

        def use(supervisor: Workers, url: str) -> None:
            try:
                with httpx.stream("GET", url) as response:
                    parts = response.iter_text()
                    next(parts)
                    supervisor.signal_queue.append(signal.SIGTERM)
                    supervisor.should_exit.wait(5)
                    supervisor.signal_queue.append(signal.SIGTERM)
                    list(parts)
            except httpx.RemoteProtocolError as error:
                failures.append(error)

        supervisor = supervise("served", listener, use)
        assert len(failures) == 1
        assert supervisor.failed

    def test_that_died_are_replaced_however_long_their_start_takes(self, listener: socket.socket) -> None:
        ready: list[bool] = []

        def use(supervisor: Workers, _url: str) -> None:
            [first, _] = supervisor.processes
            assert first.pid is not None
            os.kill(first.pid, signal.SIGKILL)
            until = time.monotonic() + 60
            while time.monotonic() < until and (
                supervisor.processes[0] is first or not supervisor.processes[0].is_ready(1)
            ):
                time.sleep(0.1)
            ready.append(time.monotonic() < until)
            supervisor.signal_queue.append(signal.SIGTERM)

        supervise("served", listener, use, timeout_worker_healthcheck=0.3)  # which no start keeps to
        assert ready == [True]

    def test_outlive_their_fork_server_and_drain(
        self, listener: socket.socket, fork_server: forkserver.ForkServer
    ) -> None:
        """What the kernel kills when memory is short takes no stream with it, and new workers come."""
        texts: list[str] = []

        def use(supervisor: Workers, url: str) -> None:
            first = list(supervisor.processes)
            with httpx.stream("GET", url) as response:
                parts = response.iter_text()
                texts.append(next(parts))
                os.kill(fork_server._forkserver_pid, signal.SIGKILL)  # type: ignore[attr-defined]
                texts.extend(parts)
            until = time.monotonic() + 60
            while time.monotonic() < until and not all(
                worker not in first and worker.is_ready(1) for worker in supervisor.processes
            ):
                time.sleep(0.1)
            texts.append(httpx.get(url).text)
            supervisor.signal_queue.append(signal.SIGTERM)

        supervisor = supervise("served", listener, use)
        assert texts == ["first ", "last", "first last"]
        assert not supervisor.failed

    def test_that_cannot_start_are_not_announced_and_end(self, listener: socket.socket) -> None:
        announced: list[str] = []
        supervisor = supervise("failing", listener, lambda _, url: announced.append(url))
        assert announced == []
        assert supervisor.failed


class TestRunMany:
    @pytest.fixture(autouse=True)
    def environment(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(workers, "configure_server_logging", lambda _settings: None)
        monkeypatch.setenv("GATEHOUSE_START_LINK", "")

    def test_hands_the_sign_in_link_on(
        self, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Workers, "run", lambda _self: None)
        run_many(Settings(_env_file=None, start_link="l" * 43, model="scripted"), 2, listener, lambda: None)
        assert os.environ["GATEHOUSE_START_LINK"] == "l" * 43

    def test_runs_one_embedded_model_for_all(
        self, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def found() -> LlamaServer:
            async with run_llama_server() as server:
                return server

        servers: list[LlamaServer] = []
        answers: list[int] = []

        def run(_self: Workers) -> None:  # every worker opens it like this
            servers.extend(asyncio.run(found()) for _ in range(2))
            answers.append(
                httpx.get(servers[0].base_url.replace("/v1", "/health"), trust_env=False).status_code
            )

        monkeypatch.setattr(Workers, "run", run)
        monkeypatch.setattr(Workers, "failed", False)
        run_many(Settings(_env_file=None, model="embedded"), 2, listener, lambda: None)
        assert servers[0] == servers[1]
        assert answers == [200]
        assert SHARED not in os.environ

    def test_runs_one_valkey_for_all(
        self, listener: socket.socket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        settings = Settings(_env_file=None, model="scripted", data_dir=tmp_path)
        found: list[int] = []

        async def pid() -> int:
            async with open_redis(settings) as redis:
                return int((await redis.info("server"))["process_id"])

        def run(_self: Workers) -> None:  # every worker opens it like this
            found.extend(asyncio.run(pid()) for _ in range(2))

        monkeypatch.setattr(Workers, "run", run)
        run_many(settings, 2, listener, lambda: None)
        assert len(set(found)) == 1
        assert not Path(f"/proc/{found[0]}").exists()

    @pytest.mark.parametrize(
        "models", [{"model": "embedded"}, {"model": "scripted", "fallback_model": "embedded"}]
    )
    def test_says_that_the_embedded_model_is_missing(
        self, listener: socket.socket, monkeypatch: pytest.MonkeyPatch, models: dict[str, str]
    ) -> None:
        monkeypatch.setattr("gatehouse.models.embedded.server.find_spec", lambda _name: None)
        with pytest.raises(StartFailed, match="chat model: .*make run installs it"):
            run_many(Settings(_env_file=None, **models), 2, listener, lambda: None)  # type: ignore[arg-type]

    def test_says_that_a_worker_failed(
        self, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Workers, "run", lambda _self: None)
        monkeypatch.setattr(Workers, "failed", True)
        with pytest.raises(StartFailed, match="see above"):
            run_many(Settings(_env_file=None, model="scripted"), 2, listener, lambda: None)


class TestWorker:
    @pytest.fixture(autouse=True)
    def logging(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in (worker, workers):
            monkeypatch.setattr(module, "configure_server_logging", lambda _settings: None)

    def test_whose_application_cannot_be_made_is_not_started_again(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def create_app(_settings: Settings) -> None:
            raise BadRegistry("/chat: twice")

        monkeypatch.setattr(worker, "create_app", create_app)
        with capture_logs() as logs, pytest.raises(SystemExit) as exited:
            worker.application()
        assert exited.value.code == uvicorn.config.STARTUP_FAILURE
        assert logs[0]["reason"] == "registry: /chat: twice"

    def test_whose_application_cannot_be_imported_is_not_started_again(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "gatehouse.process.worker", None)
        with capture_logs() as logs, pytest.raises(SystemExit) as exited:
            draining_server(uvicorn.Config("light_workers:served"))
        assert exited.value.code == uvicorn.config.STARTUP_FAILURE
        assert "gatehouse.process.worker" in logs[0]["reason"]
        assert "workers.py:" in logs[0]["at"]

    def test_serves_the_application(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def application(_scope: object, _receive: object, _send: object) -> None:
            called.append("application")

        called: list[str] = []
        monkeypatch.setattr(worker, "create_app", lambda _settings: application)
        asyncio.run(worker.application()({"type": "http"}, None, None))  # type: ignore[arg-type]
        assert called == ["application"]

    def test_ends_quietly_at_a_ctrl_c_that_was_held_back_for_it(self) -> None:
        forked = object.__new__(Worker)  # as its process has it: nothing is set up yet
        with held_back():
            signal.raise_signal(signal.SIGINT)
            forked.work([], dict(os.environ))


class Recorded:
    """A worker's process, which notes what is done with it."""

    def __init__(self, name: str, done: list[str], *, serves: bool = True) -> None:
        self.name, self.done, self.serves = name, done, serves
        self.pid = 1

    def wait_until_ready(self, *_: object) -> bool:
        self.done.append(f"{self.name} serves: {self.serves}")
        return self.serves

    def terminate(self) -> None:
        self.done.append(f"{self.name} is to end")

    def join(self) -> None:
        self.done.append(f"{self.name} has ended")

    def kill(self) -> None:
        self.done.append(f"{self.name} is killed")


class TestReplacing:
    """SIGHUP: at no time does the socket have fewer workers."""

    def replaced(
        self, monkeypatch: pytest.MonkeyPatch, listener: socket.socket, *, serves: bool
    ) -> list[str]:
        done: list[str] = []
        config = uvicorn.Config("light_workers:served", factory=True, workers=2, log_config=None)
        supervisor = Workers(config, listener, lambda: None)
        supervisor.processes = [cast("Any", Recorded(f"old {at}", done)) for at in (1, 2)]
        numbers = iter((1, 2))
        monkeypatch.setattr(
            supervisor, "_started", lambda: Recorded(f"new {next(numbers)}", done, serves=serves)
        )
        supervisor.restart_all()
        return done

    def test_ends_a_worker_when_its_successor_serves(
        self, monkeypatch: pytest.MonkeyPatch, listener: socket.socket
    ) -> None:
        assert self.replaced(monkeypatch, listener, serves=True) == [
            line
            for at in (1, 2)
            for line in (f"new {at} serves: True", f"old {at} is to end", f"old {at} has ended")
        ]

    def test_keeps_the_old_one_when_it_does_not(
        self, monkeypatch: pytest.MonkeyPatch, listener: socket.socket
    ) -> None:
        done = self.replaced(monkeypatch, listener, serves=False)
        assert done == ["new 1 serves: False", "new 1 is killed", "new 1 has ended"]
