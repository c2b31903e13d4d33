"""The JavaScript clients, the web client and the pages, against a real server with the scripted model."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_redis import running_redis
from live_server import GATEHOUSE, LiveServer, running_server, server_environment

HERE = Path(__file__).parent
ARTEFACTS = HERE.parent.parent / "test-artifacts"

pytestmark = pytest.mark.e2e


BUILD = HERE.parent.parent / "frontend" / "dist" / "index.html"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    with running_redis(tmp_path) as url:
        yield url


@pytest.fixture
def server(tmp_path: Path, redis: str) -> Iterator[LiveServer]:
    """A server with a real Redis, so that another process can go on with its runs."""
    if not BUILD.exists():
        pytest.skip("the web client is not built: make frontend")
    with running_server(tmp_path, **settings_with(redis)) as server:
        yield server


def settings_with(redis: str) -> dict[str, str]:
    return {
        "GATEHOUSE_REDIS_URL": redis,
        "GATEHOUSE_RUN_LEASE": "2",
        "GATEHOUSE_FRONTEND_DIR": str(BUILD.parent),
    }


def node(script: str, server: LiveServer, needs: str, seconds: float = 110, **more: str) -> None:
    """Run a file of Node's tests; its own report is shown when one of them fails."""
    program = shutil.which(needs)
    if program is None:
        pytest.skip(f"{needs} is not installed")
    ARTEFACTS.mkdir(exist_ok=True)
    environment = {
        **os.environ,
        "GATEHOUSE_URL": server.url,
        "GATEHOUSE_KEY": server.keys["alice"],
        "GATEHOUSE_TOKEN": server.token("alice", "acme"),
        "GATEHOUSE_LINK": server.signin_link,
        "GATEHOUSE_ARTEFACTS": str(ARTEFACTS),
        "CHROMIUM": shutil.which("chromium") or "",
        **more,
    }
    done = subprocess.run(
        ["node", "--test", "--test-reporter=spec", script],
        cwd=HERE,
        env=environment,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


def test_remote_runnable_of_javascript(server: LiveServer) -> None:
    node("remote_runnable.test.js", server, needs="node")


def test_pages_in_chromium(server: LiveServer) -> None:
    node("pages.test.js", server, needs="chromium")


@pytest.mark.timeout(300)
def test_web_client_in_chromium(server: LiveServer) -> None:
    node("client.test.js", server, needs="chromium", seconds=280)


@pytest.mark.timeout(200)
def test_web_client_keeps_its_frames(server: LiveServer) -> None:
    node("frames.test.js", server, needs="chromium", seconds=180)


@pytest.mark.timeout(200)
def test_web_client_outlives_its_server(tmp_path: Path, redis: str, server: LiveServer) -> None:
    """The test itself kills the server and starts another one on its port, with the same data."""
    variables = server_environment(tmp_path, **settings_with(redis))
    command = {"program": GATEHOUSE, "cwd": str(tmp_path), "env": {**variables, "PORT": str(server.port)}}
    node(
        "client_restart.test.js",
        server,
        needs="chromium",
        seconds=180,
        GATEHOUSE_SERVE=json.dumps(command),
        GATEHOUSE_PID=str(server.process.pid),
    )
