"""The JavaScript clients, the web client and the pages, against a real server with the scripted model."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_redis import running_redis
from live_server import GATEHOUSE, LiveServer, running_server, server_environment
from node_tests import run_node_tests

HERE = Path(__file__).parent

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
    """Run a file of Node's tests against the server."""
    run_node_tests(
        script,
        needs,
        seconds,
        GATEHOUSE_URL=server.url,
        GATEHOUSE_KEY=server.keys["alice"],
        GATEHOUSE_TOKEN=server.token("alice", "acme"),
        GATEHOUSE_LINK=server.signin_link,
        **more,
    )


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
