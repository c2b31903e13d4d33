"""`gatehouse serve` as a real process: what it prints, and how it starts and ends."""

import asyncio
import json
import os
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from live_server import GATEHOUSE, LiveServer, free_port, running_server, server_environment

ROOT = Path(__file__).parents[3]
LONG = "[tokens 20] [delay 0.1]"
STREAMS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/chat/stream", {"input": {"input": LONG}}),
    ("/api/chat/stream", {"query": LONG}),
)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server whose banner is read: with a sign-in link of its own, which works once."""
    with running_server(tmp_path_factory.mktemp("own"), GATEHOUSE_START_LINK="") as server:
        yield server


def banner_of(server: LiveServer) -> list[str]:
    """Return the lines of the banner when it is complete."""
    until = time.monotonic() + 10
    while "Ctrl+C stops the server." not in server.output:
        assert time.monotonic() < until, server.output + server.log
        time.sleep(0.05)
    return server.output.splitlines()


def refusal(folder: Path, *arguments: str, **environment: str) -> str:
    """Return the one line on stderr with which `gatehouse serve` fails; nothing is on stdout."""
    variables = server_environment(folder, **{"PORT": str(free_port()), **environment})
    done = subprocess.run(
        [GATEHOUSE, "serve", *arguments], env=variables, cwd=folder, capture_output=True, text=True, timeout=60
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0].removeprefix("gatehouse: ")


@asynccontextmanager
async def streams(server: LiveServer) -> AsyncIterator[list["asyncio.Task[str]"]]:
    """Yield the texts of streams that have begun."""
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


class TestBanner:
    def test_curl_works_as_printed(self, own: LiveServer) -> None:
        [command] = [line for line in banner_of(own) if line.startswith("curl ")]
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=30, check=True)  # fmt: skip
        events = [json.loads(line.removeprefix("data: ")) for line in done.stdout.splitlines() if line.startswith("data: ")]  # fmt: skip
        assert events[0]["runnable"] == "agent"
        assert events[-1] == {"type": "end", "content": "", "status": "completed"}
        assert "scripted model" in next(event["content"] for event in events if event["type"] == "complete")

    def test_keys_are_of_the_two_users(self, own: LiveServer) -> None:
        lines = banner_of(own)
        assert f"alice of acme: {own.keys['alice']}" in lines
        assert f"bob of beta:   {own.keys['bob']}" in lines

    def test_link_signs_in_once(self, own: LiveServer) -> None:
        [link] = [line for line in banner_of(own) if "/signin?link=" in line]
        assert link.startswith(f"{own.url}/signin?link=")
        token = link.partition("link=")[2]
        assert len(token) >= 43
        with httpx.Client(base_url=own.url) as browser:
            assert browser.get(link).status_code == 200
            signed_in = browser.post("/auth/session", json={"link": token})
            assert (signed_in.status_code, signed_in.json()["user_id"]) == (200, "alice")
            assert signed_in.json()["scopes"] == ["*"]
            assert browser.get("/").status_code == 200
        assert httpx.post(f"{own.url}/auth/session", json={"link": token}).status_code == 401

    def test_names_the_model_and_the_address(self, own: LiveServer) -> None:
        lines = banner_of(own)
        assert "Chat model: The scripted model" in lines
        assert any(line.startswith("Gatehouse ") and line.endswith(own.url) for line in lines)

    def test_is_not_printed_in_production(self, tmp_path: Path, redis_url: str) -> None:
        with running_server(
            tmp_path,
            GATEHOUSE_ENVIRONMENT="production",
            GATEHOUSE_DATABASE_URL=f"sqlite+aiosqlite:///{tmp_path}/gatehouse.db",
            GATEHOUSE_REDIS_URL=redis_url,
            GATEHOUSE_API_KEY_PEPPER="p" * 32,
            GATEHOUSE_START_LINK="",
        ) as server:
            headers = {"x-api-key": server.keys["alice"]}
            assert (
                httpx.post(f"{server.url}/api/chat", json={"query": "hi"}, headers=headers).status_code == 200
            )
            assert server.stop() == 0
        assert server.output == ""
        assert all(json.loads(line) for line in server.log.splitlines())


class TestSecondStart:
    def test_keeps_data_and_keys(self, tmp_path: Path) -> None:
        with running_server(tmp_path) as first:
            headers = {"x-api-key": first.keys["alice"]}
            answer = httpx.post(
                f"{first.url}/api/chat", json={"query": "[say hello]"}, headers=headers
            ).json()
        with running_server(tmp_path) as second:
            assert second.keys == first.keys
            threads = httpx.get(f"{second.url}/api/threads/{answer['thread_id']}/messages", headers=headers)
            assert "hello" in threads.text
            assert f"alice of acme: {first.keys['alice']}" in banner_of(second)


class TestStop:
    async def test_sigterm_lets_streams_end(self, tmp_path: Path) -> None:
        with running_server(tmp_path) as server:
            async with streams(server) as texts:
                server.send(signal.SIGTERM)
            langserve, typed = (text.result() for text in texts)
            assert "t20 " in langserve
            assert langserve.rstrip().endswith("event: end")
            assert '"content":"t20 "' in typed
            assert '"type":"end","content":"","status":"completed"' in typed.rstrip().splitlines()[-1]
            assert server.exit_code() == 0

    async def test_new_connections_are_refused_while_it_drains(self, tmp_path: Path) -> None:
        with running_server(tmp_path) as server:
            async with streams(server):
                server.send(signal.SIGTERM)
                await asyncio.sleep(0.5)
                with pytest.raises(httpx.ConnectError):
                    httpx.get(f"{server.url}/livez")

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    async def test_second_signal_ends_at_once(self, tmp_path: Path, number: signal.Signals) -> None:
        with running_server(tmp_path) as server:
            async with streams(server) as texts:
                server.send(number)
                await asyncio.sleep(0.3)
                server.send(number)
                code = await asyncio.to_thread(server.exit_code, 1.5)
            assert code == 1
            assert all(isinstance(text.exception(), httpx.RemoteProtocolError) for text in texts)
        assert "Traceback" not in server.log
        assert server.log.splitlines()[-1] == "gatehouse: stopped before open streams had ended"


class TestWorkers:
    def test_two_without_redis_are_refused(self, tmp_path: Path) -> None:
        assert refusal(tmp_path, "--workers", "2").startswith("--workers 2 needs GATEHOUSE_REDIS_URL")

    async def test_two_serve_and_drain(self, tmp_path: Path, redis_url: str) -> None:
        with running_server(tmp_path, "--workers", "2", GATEHOUSE_REDIS_URL=redis_url) as server:
            assert "Chat model: The scripted model" in await asyncio.to_thread(banner_of, server)
            async with streams(server) as texts:
                server.send(signal.SIGTERM)
            assert all("t20 " in text.result() for text in texts)
            assert await asyncio.to_thread(server.exit_code) == 0

    async def test_second_signal_ends_them_at_once(self, tmp_path: Path, redis_url: str) -> None:
        with running_server(tmp_path, "--workers", "2", GATEHOUSE_REDIS_URL=redis_url) as server:
            await asyncio.to_thread(banner_of, server)
            async with streams(server) as texts:
                server.send(signal.SIGTERM)
                await asyncio.sleep(0.7)
                server.send(signal.SIGTERM)
                assert await asyncio.to_thread(server.exit_code) == 1
            assert all(text.exception() for text in texts)

    def test_that_cannot_start_end_the_supervisor(self, tmp_path: Path, redis_url: str) -> None:
        variables = server_environment(
            tmp_path, PORT=str(free_port()), GATEHOUSE_REDIS_URL=redis_url, GATEHOUSE_MODEL="nonsense"
        )
        subprocess.run([GATEHOUSE, "db", "upgrade"], env=variables, cwd=tmp_path, timeout=60, check=True)
        done = subprocess.run(
            [GATEHOUSE, "serve", "--workers", "2"],
            env=variables, cwd=tmp_path, capture_output=True, text=True, timeout=90,
        )  # fmt: skip
        assert done.returncode == 1
        assert "chat model: GATEHOUSE_MODEL=nonsense is not known" in done.stderr
        assert "Traceback" not in done.stderr


class TestRefusals:
    def test_port_in_use(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = str(other.getsockname()[1])
            line = refusal(tmp_path, "--port", port)
        assert line.startswith(f"cannot listen on 127.0.0.1 port {port} (Address already in use)")

    def test_database_without_schema(self, tmp_path: Path) -> None:
        assert "run gatehouse db upgrade" in refusal(tmp_path)

    @pytest.mark.parametrize(
        ("variable", "value", "complaint"),
        [
            ("GATEHOUSE_RUN_DEADLINE", "soon", "settings: GATEHOUSE_RUN_DEADLINE: Input should be a valid number"),
            ("GATEHOUSE_DATABASE_URL", "nonsense://u:hunter2@db", "database: GATEHOUSE_DATABASE_URL cannot be used"),
            ("GATEHOUSE_ENVIRONMENT", "production", "settings: production needs GATEHOUSE_DATABASE_URL"),
        ],
    )  # fmt: skip
    def test_settings_that_cannot_work(
        self, tmp_path: Path, variable: str, value: str, complaint: str
    ) -> None:
        line = refusal(tmp_path, **{variable: value})
        assert line.startswith(complaint)
        assert "hunter2" not in line

    @pytest.mark.parametrize(
        ("variable", "value", "complaint"),
        [
            ("GATEHOUSE_REDIS_URL", "redis://127.0.0.1:1", "Redis: GATEHOUSE_REDIS_URL cannot be reached"),
            ("GATEHOUSE_MODEL", "nonsense", "chat model: GATEHOUSE_MODEL=nonsense is not known"),
            ("GATEHOUSE_JWT_SECRET", "short", "authentication: GATEHOUSE_JWT_SECRET has 5 bytes"),
            ("GATEHOUSE_START_LINK", "short", "authentication: GATEHOUSE_START_LINK has 5 characters"),
        ],
    )
    def test_parts_that_cannot_work(
        self, migrated_once: Path, variable: str, value: str, complaint: str
    ) -> None:
        assert refusal(migrated_once, **{variable: value}).startswith(complaint)

    @pytest.fixture(scope="class")
    def migrated_once(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("refusals")
        variables = server_environment(folder)
        subprocess.run([GATEHOUSE, "db", "upgrade"], env=variables, cwd=folder, timeout=60, check=True)
        return folder


class TestMakeRun:
    def test_its_commands_start_a_server_in_a_fresh_folder(self, tmp_path: Path) -> None:
        """The Makefile's own lines, but for the folder of the command."""
        recipe = (ROOT / "Makefile").read_text().partition("\nrun:")[2].partition("\n\n")[0]
        lines = [line.strip().lstrip("@") for line in recipe.splitlines()[1:]]
        script = "set -e\n" + "\n".join(line.replace("$(BIN)", str(Path(GATEHOUSE).parent)) for line in lines)
        port = free_port()
        environment = {"PATH": os.environ["PATH"], "GATEHOUSE_MODEL": "scripted", "PORT": str(port)}
        with (tmp_path / "log.txt").open("wb") as log:
            process = subprocess.Popen(
                ["bash", "-c", script], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=log
            )
        assert process.stdout is not None
        with process.stdout:
            try:
                first = next(line for line in process.stdout if line.strip()).decode()
                assert first.rstrip().endswith(f"http://127.0.0.1:{port}")
            finally:
                process.send_signal(signal.SIGTERM)
                assert process.wait(20) == 0
        assert (tmp_path / ".gatehouse" / "gatehouse.db").exists()
        assert shlex.split(lines[0])[1:] == ["db", "upgrade", "--quiet"]
