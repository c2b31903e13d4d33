"""Metrics of several workers, and of a server that cannot have its management port: real processes."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from live_redis import running_redis
from live_server import LiveServer, NotStarted, free_port, running_server
from scraped import samples, value

PORT = "GATEHOUSE_MANAGEMENT_PORT"


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LiveServer, str]]:
    """A server of two workers, and the address of its management port."""
    folder, port = tmp_path_factory.mktemp("workers"), free_port()
    with (
        running_redis(folder) as redis,
        running_server(
            folder, "--workers", "2", GATEHOUSE_REDIS_URL=redis, GATEHOUSE_DRAIN_SECONDS="1", **{PORT: str(port)}
        ) as server,
    ):  # fmt: skip
        yield server, f"http://127.0.0.1:{port}"


def eventually(wanted: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not wanted():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.1)


def children_of(process_id: int) -> set[int]:
    tasks = Path(f"/proc/{process_id}/task")
    return {int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()}


CHAT = {"runnable": "chat"}


class TestWorkers:
    def test_figures_add_up(self, workers: tuple[LiveServer, str]) -> None:
        server, port = workers
        headers = {"x-api-key": server.keys["alice"]}
        for _ in range(12):  # each over a connection of its own, which either worker may take
            assert httpx.post(
                f"{server.url}/api/chat", json=CHAT | {"query": "[tokens 3]"}, headers=headers, timeout=20
            )
        assert value(port, "gatehouse_runs_started_total", runnable="/chat") == 12
        assert value(port, "gatehouse_tokens_total", direction="output") == 36
        eventually(lambda: value(port, "gatehouse_event_loop_lag_seconds_count") > 0)

    def test_what_the_processes_use_adds_up_too(self, workers: tuple[LiveServer, str]) -> None:
        _, port = workers
        assert value(port, "process_resident_memory_bytes") > 100e6
        assert value(port, "process_cpu_seconds_total") > 0
        [started] = [item.value for item in samples(port) if item.name == "process_start_time_seconds"]
        assert time.time() - 3600 < started <= time.time() + 1

    @pytest.mark.timeout(240)  # two processes start anew, on a machine that may be busy
    def test_what_went_on_in_a_dead_worker_is_forgotten_and_what_it_counted_kept(
        self, workers: tuple[LiveServer, str]
    ) -> None:
        server, port = workers
        started = value(port, "gatehouse_runs_started_total")
        headers = {"x-api-key": server.keys["bob"]}
        body = CHAT | {"query": "[delay 0.1] [tokens 3000]"}
        with httpx.stream("POST", f"{server.url}/api/chat/stream", json=body, headers=headers) as response:
            lines = response.iter_lines()
            next(lines)
            eventually(lambda: value(port, "gatehouse_runs_running") == 1)
            [fork_server] = [
                child
                for child in children_of(server.process.pid)
                if "forkserver" in Path(f"/proc/{child}/cmdline").read_text()
            ]
            serving = children_of(fork_server)
            assert len(serving) == 2
            for worker in serving:
                os.kill(worker, signal.SIGKILL)
        eventually(lambda: value(port, "gatehouse_restarts_total", runnable="/chat") == 1)
        eventually(lambda: value(port, "gatehouse_runs_running") <= 1)
        assert value(port, "gatehouse_runs_started_total") == started + 1
        assert httpx.get(f"{port}/livez").status_code == 200


@pytest.mark.parametrize("arguments", [(), ("--workers", "2")])
def test_a_port_that_is_taken_stops_the_start_in_one_line(
    tmp_path: Path, redis_url: str, arguments: tuple[str, ...]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(NotStarted, match=f"management port: cannot listen on 127.0.0.1 port {port} "),
            running_server(tmp_path, *arguments, GATEHOUSE_REDIS_URL=redis_url, **{PORT: str(port)}),
        ):
            pass
