"""`gatehouse serve` without a Redis: what it keeps in its data folder outlives it."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from cli_results import Run, failure_of
from live_server import LiveServer, free_port, running_server
from redis import Redis

LONG = "[delay 0.05] [tokens 60]"
ANSWER = [f"t{number}" for number in range(1, 61)]
SECONDS = 20
AT_ONCE = {"GATEHOUSE_DRAIN_SECONDS": "0"}  # runs are handed over, however long they would take


def until(true: Callable[[], Any]) -> None:
    """Return when it is true; fail when it is not in time."""
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end, "this did not come true in time"
        time.sleep(0.05)


def of_alice(server: LiveServer) -> dict[str, str]:
    return {"x-api-key": server.keys["alice"]}


def valkey_of(server: LiveServer) -> int:
    """Return the process id of the server's Valkey."""
    with Redis(unix_socket_path=str(server.data_dir / "valkey" / "valkey.sock")) as client:
        return int(client.info("server")["process_id"])


def events(lines: list[str]) -> list[tuple[str, dict[str, Any]]]:
    """Return the ids and the data of the events of a stream."""
    found, event_id = [], ""
    for line in lines:
        if line.startswith("id: "):
            event_id = line.removeprefix("id: ")
        elif line.startswith("data: "):
            found.append((event_id, json.loads(line.removeprefix("data: "))))
    return found


def begun(server: LiveServer) -> tuple[str, str]:
    """Start a long answer and stop reading after some words; return the run's id, and that of the last event."""
    with httpx.stream(
        "POST", f"{server.url}/api/chat/stream", json={"query": LONG}, headers=of_alice(server), timeout=30
    ) as response:
        lines: list[str] = []
        for line in response.iter_lines():
            lines.append(line)
            if len(seen := events(lines)) > 5 and not line:
                break
    return seen[0][1]["run_id"], seen[-1][0]


def rest(server: LiveServer, run_id: str, last_event_id: str) -> list[dict[str, Any]]:
    """Return what a viewer reads who comes back with the id of the last event it saw."""
    headers = {**of_alice(server), "last-event-id": last_event_id}
    answer = httpx.get(f"{server.url}/api/runs/{run_id}/stream", headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    return [data for _, data in events(answer.text.splitlines())]


class TestRestart:
    def test_keeps_who_is_signed_in(self, tmp_path: Path) -> None:
        with httpx.Client() as browser:
            with running_server(tmp_path) as server:
                key = {"credential": server.keys["alice"]}
                assert browser.post(f"{server.url}/auth/session", json=key).status_code == 200
                cookies = dict(browser.cookies)
                assert server.stop() == 0
            with running_server(tmp_path) as server:
                me = httpx.get(f"{server.url}/api/me", cookies=cookies)
                assert me.json()["user_id"] == "alice"

    def test_keeps_runs_that_have_ended(self, tmp_path: Path) -> None:
        with running_server(tmp_path) as server:
            asked = {"query": "[say hello there]"}
            answer = httpx.post(f"{server.url}/api/chat", json=asked, headers=of_alice(server)).json()
        with running_server(tmp_path) as server:
            seen = rest(server, answer["run_id"], "0-0")
        assert (
            "".join(event["content"] for event in seen if event["type"] == "token").strip() == "hello there"
        )
        assert seen[-1]["status"] == "completed"

    def test_keeps_what_is_used_of_limits(self, tmp_path: Path) -> None:
        plans = json.dumps({"default": {"requests_per_minute": 1, "burst": 3}})
        statuses = []
        for requests in (3, 1):
            with running_server(tmp_path, GATEHOUSE_PLANS=plans) as server:
                for _ in range(requests):
                    answer = httpx.get(f"{server.url}/api/threads", headers=of_alice(server))
                    statuses.append(answer.status_code)
        assert statuses == [200, 200, 200, 429]

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
    def test_lets_a_viewer_read_on(self, tmp_path: Path, number: signal.Signals) -> None:
        with running_server(tmp_path, **AT_ONCE) as server:
            run_id, last_event_id = begun(server)
            server.send(number)
            assert server.exit_code() == (0 if number == signal.SIGTERM else -number)
        with running_server(tmp_path, **AT_ONCE) as server:
            seen = rest(server, run_id, last_event_id)
        words = [event["content"].strip() for event in seen if event["type"] == "token"]
        assert [event["type"] for event in seen].count("restart") == 1
        assert words[-60:] == ANSWER
        assert seen[-1] == {"type": "end", "content": "", "status": "completed"}


class TestValkey:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
    def test_ends_with_the_server(self, tmp_path: Path, number: signal.Signals) -> None:
        with running_server(tmp_path) as server:
            process = Path(f"/proc/{valkey_of(server)}")
            server.send(number)
            server.exit_code()
            until(lambda: not process.exists() or "\nState:\tZ" in (process / "status").read_text())
        assert "Traceback" not in server.log

    def test_is_shared_by_a_second_server_that_goes_on_alone(self, tmp_path: Path) -> None:
        soon = {"GATEHOUSE_RUN_LEASE": "2"}
        with running_server(tmp_path, **soon) as first, running_server(tmp_path, **soon) as second:
            run_id, last_event_id = begun(first)
            first.send(signal.SIGKILL)
            first.exit_code()
            until(lambda: httpx.get(f"{second.url}/readyz").status_code == 200)
            assert rest(second, run_id, last_event_id)[-1]["status"] == "completed"

    def test_is_tested_by_the_doctor_beside_the_server(
        self, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with running_server(tmp_path) as server:
            monkeypatch.setenv("GATEHOUSE_DATA_DIR", str(server.data_dir))
            monkeypatch.setenv("PORT", str(server.port))
            pid = valkey_of(server)
            findings = {one["part"]: one for one in json.loads(run("doctor", "--json").stdout)}
            assert findings["Redis"]["state"] == "ok"
            assert findings["Redis"]["detail"].startswith("Valkey ")
            assert valkey_of(server) == pid


class TestWorkers:
    def test_see_each_other_s_runs(self, tmp_path: Path) -> None:
        with running_server(tmp_path, "--workers", "2") as server:
            runs = []
            for number in range(8):  # each over a connection of its own, which either worker may take
                asked = {"query": f"[say answer {number}]"}
                runs.append(httpx.post(f"{server.url}/api/chat", json=asked, headers=of_alice(server)).json())
            for number, run in enumerate(runs):
                for _ in range(2):
                    told = httpx.get(f"{server.url}/api/runs/{run['run_id']}", headers=of_alice(server))
                    assert told.status_code == 200
                    assert run["response"].strip() == f"answer {number}"
            assert server.stop() == 0


@pytest.mark.usefixtures("migrated")
class TestRefusal:
    @pytest.mark.parametrize("workers", ["1", "2"])
    def test_where_there_is_no_wheel(self, run: Run, monkeypatch: pytest.MonkeyPatch, workers: str) -> None:
        monkeypatch.setenv("PORT", str(free_port()))
        monkeypatch.setattr("gatehouse.storage.valkey.find_spec", lambda _name: None)
        line = failure_of(run("serve", "--workers", workers))
        assert line.startswith("Redis: there is no Valkey for this server to start")
        assert "set GATEHOUSE_REDIS_URL" in line

    def test_of_a_file_that_is_corrupt(self, run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PORT", str(free_port()))
        folder = home / "data" / "valkey" / "appendonlydir"
        folder.mkdir(parents=True)
        (folder / "appendonly.aof.manifest").write_text("file appendonly.aof.1.incr.aof seq 1 type i\n")
        (folder / "appendonly.aof.1.incr.aof").write_text("nonsense\n" * 100)
        line = failure_of(run("serve"))
        assert line.startswith("Redis: Valkey cannot start in ")
        assert "move the folder away" in line
        assert os.linesep not in line.strip()
