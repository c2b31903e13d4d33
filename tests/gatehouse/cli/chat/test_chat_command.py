"""`gatehouse chat` without a terminal: options, pipes, exit codes."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
from chat_processes import chat_command, of_alice
from cli_results import Run, misuse_of
from live_server import LiveServer, free_port, running_server

from gatehouse.cli.chat.questions import LONGEST_QUESTION
from gatehouse.problems.errors import Problem


class Welcome(BaseHTTPRequestHandler):
    """Answers everything with a page."""

    def do_POST(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<p>Welcome to our network")

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def hotel() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Welcome) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class TestQuestion:
    def test_is_an_argument(self, alice: Run) -> None:
        result = alice("[tokens 3]", "--prefix", "AI: ")
        assert (result.exit_code, result.stdout, result.stderr) == (0, "AI: t1 t2 t3\n", "")

    def test_is_piped_in(self, alice: Run) -> None:
        assert alice(stdin="\ufeff[say 債券 🙂]\n").stdout == "債券 🙂\n"

    @pytest.mark.parametrize("empty", ["", " \n"])
    def test_that_is_none_is_not_asked(self, alice: Run, empty: str) -> None:
        assert "the question is empty" in misuse_of(alice(stdin=empty))
        assert "the question is empty" in misuse_of(alice(empty))

    @pytest.mark.parametrize("length", [LONGEST_QUESTION + 1, 5 * LONGEST_QUESTION])
    def test_that_is_too_long_is_not_asked(self, alice: Run, length: int) -> None:
        assert "at most 100,000 characters" in misuse_of(alice(stdin="x" * length))

    def test_that_is_no_text_is_not_asked(self, alice: Run) -> None:
        assert "no UTF-8 text" in misuse_of(alice(stdin=b"\xff\xfe\x00"))


class TestOptions:
    def test_quiet_is_the_answer_alone(self, alice: Run) -> None:
        result = alice("--quiet", "--prefix", "AI: ", "[tokens 3]")
        assert (result.stdout, result.stderr) == ("t1 t2 t3\n", "")

    def test_json_is_the_events(self, alice: Run) -> None:
        events = [json.loads(line) for line in alice("--json", "[tokens 2]").stdout.splitlines()]
        assert [event["type"] for event in events] == ["start", "token", "token", "complete", "end"]
        assert [event["id"] for event in events] == ["1-1", "1-2", "1-3", "1-4", "1-5"]

    def test_quiet_and_json_are_two_things(self, alice: Run) -> None:
        assert "no --json beside it" in misuse_of(alice("--quiet", "--json", "Hi"))

    def test_runnable_answers(self, alice: Run) -> None:
        started = json.loads(alice("--json", "--runnable", "agent", "[tokens 1]").stdout.splitlines()[0])
        assert started["runnable"] == "agent"

    def test_thread_goes_on(self, alice: Run) -> None:
        threads: list[str] = []
        for arguments in [(), ("--thread",)]:
            given = (*arguments, threads[0]) if arguments else ()
            started = json.loads(alice("--json", *given, "[tokens 1]").stdout.splitlines()[0])
            threads.append(started["thread_id"])
        assert threads[0] == threads[1]


class TestExitCode:
    def test_1_the_run_failed(self, alice: Run) -> None:
        result = alice("[tokens 9] [fail after 2]")
        assert (result.exit_code, result.stdout) == (1, "t1 t2\n")
        assert result.stderr == "gatehouse: The run failed. The server's log has the cause.\n"

    def test_1_the_server_refuses_the_question(self, alice: Run) -> None:
        result = alice("Hi", "--thread", "x" * 201)
        assert result.exit_code == 1
        assert "at most 200 characters" in result.stderr

    def test_1_what_answers_is_something_else(self, alice: Run, hotel: str) -> None:
        result = alice("Hi", "--url", hotel)
        assert result.exit_code == 1
        assert f"{hotel} is no Gatehouse: " in result.stderr

    def test_2_the_url_is_none(self, alice: Run) -> None:
        assert "http://HOST:PORT" in misuse_of(alice("Hi", "--url", "gatehouse"))

    def test_3_the_key_is_not_accepted(self, alice: Run, home: Path) -> None:
        (home / "key").write_text("gh_dev_nonsense")
        result = alice("Hi", "--api-key-file", str(home / "key"))
        assert result.exit_code == 3
        assert "not valid" in result.stderr
        assert "nonsense" not in result.stderr

    def test_3_a_scope_is_missing(
        self, alice: Run, server: LiveServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token = server.token("alice", "acme", scopes=("runnable:chat",))
        monkeypatch.setenv("GATEHOUSE_API_KEY", token)
        assert alice("[tokens 1]").exit_code == 0
        assert alice("Hi", "--runnable", "agent").exit_code == 3

    def test_4_a_limit_is_used_up(self, run: Run, tmp_path: Path) -> None:
        plans = json.dumps({"default": {"requests_per_minute": 1, "burst": 1}})
        with running_server(tmp_path, GATEHOUSE_PLANS=plans) as server:
            (tmp_path / "key").write_text(server.keys["alice"])
            options = ("--url", server.url, "--api-key-file", str(tmp_path / "key"))
            assert run("chat", "[tokens 1]", *options).exit_code == 0
            result = run("chat", "[tokens 1]", *options)
        assert result.exit_code == 4
        assert "Try again in " in result.stderr

    def test_5_nobody_is_there(self, alice: Run) -> None:
        result = alice("Hi", "--url", f"http://127.0.0.1:{free_port()}")
        assert result.exit_code == 5
        assert "does the server run?" in result.stderr

    def test_130_somebody_stopped_the_run(
        self, alice: Run, server: LiveServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As Ctrl-C does, which takes a terminal: here from elsewhere, in the middle."""

        def stop_it(event: object) -> None:
            if getattr(event, "id", "") == "1-3":
                headers = {"x-api-key": server.keys["alice"]}
                httpx.post(f"{server.url}/api/runs/{runs[0]}/cancel", headers=headers).raise_for_status()
            elif getattr(event, "type", "") == "start":
                runs.append(event.data["run_id"])  # type: ignore[attr-defined]

        runs: list[str] = []
        monkeypatch.setattr("gatehouse.cli.chat.view.Piped.received", lambda _view, event: stop_it(event))
        result = alice("[delay 0.02] [tokens 5000]")
        assert result.exit_code == 130
        assert result.stdout.startswith("t1 t2")


class TestPipes:
    def test_carry_tokens_as_they_come(self, server: LiveServer, tmp_path: Path) -> None:
        command = chat_command("[delay 0.05] [tokens 100]")
        with subprocess.Popen(command, env=of_alice(server, tmp_path), stdout=subprocess.PIPE) as process:
            assert process.stdout
            assert os.read(process.stdout.fileno(), 100).startswith(b"t1")
            assert process.poll() is None
            process.send_signal(signal.SIGINT)
            rest = process.stdout.read()
        assert process.returncode == 130
        assert rest.endswith(b"\n")

    def test_that_nobody_reads_stop_the_run_quietly(self, server: LiveServer, tmp_path: Path) -> None:
        command = chat_command("--json", "[delay 0.02] [tokens 5000]")
        with subprocess.Popen(
            command, env=of_alice(server, tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout
            assert process.stderr
            run_id = json.loads(process.stdout.readline())["run_id"]
            process.stdout.close()
            assert process.stderr.read() == b""
        assert process.returncode == 141
        assert state_of(run_id, server) == "cancelled"


def state_of(run_id: str, server: LiveServer) -> str:
    """Return the state of a run when it goes on no longer."""
    until = time.monotonic() + 15  # less than the grace that a run without viewers has
    while True:
        response = httpx.get(f"{server.url}/api/runs/{run_id}", headers={"x-api-key": server.keys["alice"]})
        state: str = response.json()["state"]
        if state != "running" or time.monotonic() > until:
            return state
        time.sleep(0.05)


def test_problems_are_those_of_the_server() -> None:
    assert {"status", "title", "detail"} <= set(Problem.model_fields)  # what exits.py reads
