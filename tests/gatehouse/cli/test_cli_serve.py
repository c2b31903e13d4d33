"""`gatehouse serve` as a real process: what it prints, and how it starts and ends."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from gatehouse_processes import GATEHOUSE, started
from live_server import (
    PYTHONPATH,
    START_SECONDS,
    LiveServer,
    banner_of,
    free_port,
    prepare,
    running,
    running_server,
    server_environment,
)
from waiting import until

from gatehouse.process.endings import StartFailed
from gatehouse.process.listening import listen

ROOT = Path(__file__).parents[3]
LONG = "[delay 0.1] [tokens 20]"
STREAMS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/chat/stream", {"input": {"input": LONG}}),
    ("/api/chat/stream", {"query": LONG}),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """What the command of `make run` starts in a fresh folder, where nothing is set but the model."""
    folder = tmp_path_factory.mktemp("made")
    recipe = (ROOT / "Makefile").read_text().partition("\nrun:")[2].partition("\n\n")[0]
    commands = [line.strip().lstrip("@") for line in recipe.splitlines()[1:]]
    assert commands == ["exec $(BIN)/gatehouse serve --upgrade --seed tools.portfolio.seed:seed"]
    script = commands[0].replace("$(BIN)", str(Path(GATEHOUSE).parent))
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": PYTHONPATH, "GATEHOUSE_MODEL": "scripted"}
    with running(["bash", "-c", script], folder, variables, keys={}) as server:
        yield server


@contextmanager
def executed_server(folder: Path, *arguments: str, **environment: str) -> Iterator[LiveServer]:
    """Yield what the executable starts, with a database that is ready."""
    variables = server_environment(folder, **environment)
    keys = prepare(variables)
    with running([GATEHOUSE, "serve", *arguments], folder, variables, keys) as server:
        yield server


def key_of(user: str, server: LiveServer) -> str:
    """Return the key that the banner has for a user."""
    [key] = [line.split()[-1] for line in banner_of(server) if line.startswith(f"{user} of ")]
    return key


@asynccontextmanager
async def streams(server: LiveServer) -> AsyncIterator[list["asyncio.Task[str]"]]:
    """Yield the texts of streams that have begun, and return when they have ended."""
    begun = asyncio.Semaphore(0)
    headers = {"x-api-key": server.keys["alice"]}

    async def read(path: str, body: dict[str, Any]) -> str:
        text = ""
        async with client.stream("POST", path, json=body, headers=headers) as response:
            async for part in response.aiter_text():
                text += part
                begun.release()
        return text

    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        tasks = [asyncio.create_task(read(path, body)) for path, body in STREAMS]
        for _ in range(3 * len(tasks)):
            await begun.acquire()
        yield tasks
        await asyncio.wait(tasks)


def only_child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text())


def is_taken(port: int) -> bool:
    """Tell whether a server that starts now would find the port taken."""
    try:
        listen("127.0.0.1", port).close()
    except StartFailed:
        return True
    return False


class TestBanner:
    def test_curl_works_as_printed(self, made: LiveServer) -> None:
        [command] = [line for line in banner_of(made) if line.startswith("curl ")]
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=30, check=True)
        data = [line for line in done.stdout.splitlines() if line.startswith("data: ")]
        events = [json.loads(line.removeprefix("data: ")) for line in data]
        assert events[0]["runnable"] == "agent"
        assert "scripted" in next(event["content"] for event in events if event["type"] == "complete")
        assert events[-1] == {"type": "end", "content": "", "status": "completed"}

    def test_keys_are_those_of_the_two_users(self, made: LiveServer) -> None:
        for user in ("alice", "bob"):
            key = {"x-api-key": key_of(user, made)}
            assert httpx.get(f"{made.url}/api/me", headers=key).json()["user_id"] == user

    def test_link_signs_in_once(self, made: LiveServer) -> None:
        [link] = [line for line in banner_of(made) if line.startswith(f"{made.url}/signin?link=")]
        token = link.partition("link=")[2]
        assert len(token) >= 43
        with httpx.Client(base_url=made.url) as browser:
            assert browser.get(link).status_code == 200
            signed_in = browser.post("/auth/session", json={"link": token}).json()
            assert (signed_in["tenant_id"], signed_in["user_id"]) == ("acme", "alice")
            assert signed_in["scopes"] == ["*"]
            assert browser.get("/").status_code == 200
        assert httpx.post(f"{made.url}/auth/session", json={"link": token}).status_code == 401

    def test_names_the_model_and_the_address(self, made: LiveServer) -> None:
        lines = banner_of(made)
        assert any(line.startswith("Chat model: scripted") for line in lines)
        assert any(line.startswith("Gatehouse ") and line.endswith(made.url) for line in lines)

    def test_is_not_printed_in_production(self, tmp_path: Path, redis_url: str) -> None:
        with running_server(
            tmp_path,
            GATEHOUSE_ENVIRONMENT="production",
            GATEHOUSE_DATABASE_URL=f"sqlite+aiosqlite:///{tmp_path}/gatehouse.db",
            GATEHOUSE_REDIS_URL=redis_url,
            GATEHOUSE_API_KEY_PEPPER="p" * 32,
            GATEHOUSE_START_LINK="",
        ) as server:
            key = {"x-api-key": server.keys["alice"]}
            answer = httpx.post(f"{server.url}/api/chat", json={"query": "[say hi]"}, headers=key)
            assert answer.json()["response"].strip() == "hi"
            assert server.stop() == 0
        assert server.output == ""
        assert all(json.loads(line) for line in server.log.splitlines())


class TestStop:
    def test_its_data_and_keys_are_there_at_the_second_start(self, made: LiveServer) -> None:
        key = {"x-api-key": key_of("alice", made)}
        answer = httpx.post(f"{made.url}/api/chat", json={"query": "[say hello]"}, headers=key).json()
        variables = {"PATH": os.environ["PATH"], "PYTHONPATH": PYTHONPATH, "GATEHOUSE_MODEL": "scripted"}
        with running([GATEHOUSE, "serve"], made.folder, variables, {}, started) as second:
            assert key_of("alice", second) == key["x-api-key"]
            messages = httpx.get(f"{second.url}/api/threads/{answer['thread_id']}/messages", headers=key)
            assert "hello" in messages.text
            assert second.stop() == 0

    async def test_sigterm_lets_streams_end_and_starts_no_run(self, tmp_path: Path) -> None:
        with running_server(tmp_path) as server:
            async with streams(server) as texts, httpx.AsyncClient() as client:
                server.send(signal.SIGTERM)
                await asyncio.sleep(0.5)
                headers = {"x-api-key": server.keys["bob"]}
                assert (await client.get(f"{server.url}/readyz")).status_code == 503
                answer = await client.post(f"{server.url}/api/chat", json={"query": "hi"}, headers=headers)
                assert answer.status_code == 503
            langserve, typed = (text.result() for text in texts)
            assert "t20" in langserve
            assert langserve.rstrip().endswith("event: end")
            assert "t20" in typed
            assert '"type":"end","content":"","status":"completed"' in typed.rstrip().splitlines()[-1]
            assert await asyncio.to_thread(server.exit_code) == 0

    async def test_of_the_first_process_of_a_container(self, tmp_path: Path) -> None:
        if os.geteuid() or shutil.which("unshare") is None:
            pytest.skip("only root may begin a PID namespace, with unshare")
        variables = server_environment(tmp_path)
        keys = prepare(variables)
        first = ["unshare", "--fork", "--pid", "--kill-child", GATEHOUSE, "serve"]
        with running(first, tmp_path, variables, keys) as server:
            async with streams(server) as texts:
                os.kill(only_child(server.process.pid), signal.SIGTERM)
            assert all("t20" in text.result() for text in texts)
            assert await asyncio.to_thread(server.exit_code) == 0

    async def test_of_a_start_is_quiet(self, tmp_path: Path) -> None:
        variables = server_environment(tmp_path, GATEHOUSE_START_WAIT="60")
        away = "postgresql+psycopg://user:secret@127.0.0.1:1/db"
        variables |= {"GATEHOUSE_DATABASE_URL": away, "PORT": str(free_port())}
        output, log = tmp_path / "output", tmp_path / "log"
        process = started([GATEHOUSE, "serve"], variables, tmp_path, output, log)
        await until(lambda: log.exists() and "start waits" in log.read_text(), START_SECONDS)
        process.terminate()
        assert process.wait(10) == 0
        assert "Traceback" not in log.read_text()

    async def test_second_signal_ends_at_once(self, tmp_path: Path) -> None:
        with running_server(tmp_path) as server:
            async with streams(server) as texts:
                server.send(signal.SIGTERM)
                await asyncio.sleep(0.3)
                server.send(signal.SIGINT)
            assert all(isinstance(text.exception(), httpx.RemoteProtocolError) for text in texts)
            assert await asyncio.to_thread(server.exit_code) == 1
        assert "Traceback" not in server.log
        assert server.log.splitlines()[-1] == "gatehouse: stopped before open streams had ended"


class TestWorkers:
    async def test_two_serve_and_drain(self, tmp_path: Path) -> None:
        with executed_server(tmp_path, "--workers", "2") as server:
            banner = await asyncio.to_thread(banner_of, server)
            assert any(line.startswith("Chat model: scripted") for line in banner)
            async with streams(server) as texts:
                server.send(signal.SIGTERM)
            assert all("t20" in text.result() for text in texts)
            assert await asyncio.to_thread(server.exit_code) == 0

    async def test_ctrl_c_reaches_all_of_them_and_drains(self, tmp_path: Path) -> None:
        variables = server_environment(tmp_path)
        keys = prepare(variables)
        with running(["setsid", GATEHOUSE, "serve", "--workers", "2"], tmp_path, variables, keys) as server:
            await asyncio.to_thread(banner_of, server)
            async with streams(server) as texts:
                os.killpg(server.process.pid, signal.SIGINT)
            assert all("t20" in text.result() for text in texts)
            assert await asyncio.to_thread(server.exit_code) == 0
        assert "Traceback" not in server.log

    @pytest.mark.parametrize("seconds", [0.8, 2.5])
    def test_ctrl_c_at_the_start_is_quiet(self, tmp_path: Path, seconds: float) -> None:
        """Whatever they are at: the fork server imports for seconds, and only then do workers begin."""
        variables = server_environment(tmp_path)
        process = subprocess.Popen(
            [GATEHOUSE, "serve", "--workers", "2", "--port", str(free_port())],
            env=variables, cwd=tmp_path, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=20)
        assert b"Traceback" not in errors

    async def test_drain_and_end_when_their_supervisor_was_killed(self, tmp_path: Path) -> None:
        """Else the port stayed taken, by processes that nobody looks after."""
        with executed_server(tmp_path, "--workers", "2") as server:
            await asyncio.to_thread(banner_of, server)
            async with streams(server) as texts:
                server.send(signal.SIGKILL)
            assert all("t20" in text.result() for text in texts)
            await until(lambda: not is_taken(server.port), 20)


def test_a_start_that_fails_is_one_line_on_stderr(tmp_path: Path) -> None:
    variables = server_environment(tmp_path, PORT=str(free_port()))
    output, log = tmp_path / "output", tmp_path / "log"
    process = started([GATEHOUSE, "serve"], variables, tmp_path, output, log)
    assert process.wait(START_SECONDS) == 1
    assert output.read_text() == ""
    [line] = log.read_text().splitlines()
    assert line.startswith("gatehouse: database: its schema is at revision none")
