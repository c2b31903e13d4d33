"""The JavaScript clients, the web client and the pages, against a real server with the scripted model."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from gatehouse_processes import GATEHOUSE
from live_redis import running_redis
from live_server import LiveServer, running_server, server_environment
from node_tests import run_node_tests
from oidc_provider import OidcProvider, running_provider

HERE = Path(__file__).parent

pytestmark = pytest.mark.e2e


BUILD = HERE.parent.parent / "src/gatehouse/web/client/index.html"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    with running_redis(tmp_path) as url:
        yield url


@pytest.fixture
def server(tmp_path: Path, redis: str) -> Iterator[LiveServer]:
    with served(tmp_path, redis) as server:
        yield server


@contextmanager
def served(folder: Path, redis: str, **settings: str) -> Iterator[LiveServer]:
    """Yield a server with a real Redis, so that another process can go on with its runs."""
    if not BUILD.exists():
        pytest.skip("the web client is not built: make frontend")
    with running_server(folder, **settings_with(redis), **settings) as server:
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


def test_openai_for_node(tmp_path: Path) -> None:
    with running_server(tmp_path, GATEHOUSE_REGISTRY="tests.e2e.model_entries:REGISTRY") as server:
        node("openai.test.js", server, needs="node", GATEHOUSE_OTHER_KEY=server.keys["bob"])


def test_chat_of_the_ai_sdk(tmp_path: Path) -> None:
    with running_server(tmp_path, GATEHOUSE_REGISTRY="tests.e2e.ui_entries:REGISTRY") as server:
        node("ui_stream.test.js", server, needs="node")


def test_page_with_use_chat_in_chromium(server: LiveServer) -> None:
    node("use_chat.test.js", server, needs="chromium")


def test_pages_in_chromium(server: LiveServer) -> None:
    node("pages.test.js", server, needs="chromium")


def test_chat_playground_in_chromium(tmp_path: Path) -> None:
    with running_server(tmp_path, GATEHOUSE_REGISTRY="tests.e2e.chat_entries:REGISTRY") as server:
        node("chat_playground.test.js", server, needs="chromium")


def test_playground_of_what_is_configurable_in_chromium(tmp_path: Path) -> None:
    with running_server(tmp_path, GATEHOUSE_REGISTRY="tests.e2e.chat_entries:REGISTRY") as server:
        node("configured_playground.test.js", server, needs="chromium")


@pytest.mark.timeout(300)
def test_web_client_in_chromium(server: LiveServer) -> None:
    node("client.test.js", server, needs="chromium", seconds=280)


@pytest.mark.parametrize("script", ["client_pages.test.js", "client_connection.test.js"])
def test_web_client_for_everybody_everywhere(server: LiveServer, script: str) -> None:
    node(script, server, needs="chromium")


@pytest.mark.timeout(300)
def test_web_client_s_branches_and_files(server: LiveServer) -> None:
    node("client_branches.test.js", server, needs="chromium", seconds=280)


@pytest.mark.timeout(300)
def test_web_client_s_forms_and_what_answers_hold(tmp_path: Path, redis: str) -> None:
    with served(tmp_path, redis, GATEHOUSE_REGISTRY="tests.e2e.client_entries:REGISTRY") as server:
        node("client_input.test.js", server, needs="chromium", seconds=280)


@pytest.mark.timeout(300)
def test_web_client_s_approvals(tmp_path: Path, redis: str) -> None:
    with served(tmp_path, redis, GATEHOUSE_REGISTRY="tests.e2e.approval_entries:REGISTRY") as server:
        node("client_approvals.test.js", server, needs="chromium", seconds=280)


@pytest.mark.timeout(300)
def test_web_client_s_effects(server: LiveServer, tmp_path: Path, redis: str) -> None:
    settings = {
        "GATEHOUSE_REGISTRY": "tests.e2e.approval_entries:REGISTRY",
        "GATEHOUSE_APPROVAL_HOURS": "0.006",
    }
    with served(tmp_path / "others", redis, **settings) as others:
        node(
            "client_effects.test.js", server, needs="chromium", seconds=280,
            GATEHOUSE_EFFECTS_URL=others.url, GATEHOUSE_EFFECTS_KEY=others.keys["alice"],
        )  # fmt: skip


def test_web_client_at_its_limits(tmp_path: Path, redis: str) -> None:
    plan = {"requests_per_minute": 30, "burst": 30, "tokens_per_day": 5000, "tokens_reserved": 1500}
    with served(tmp_path, redis, GATEHOUSE_PLANS=json.dumps({"default": plan})) as server:
        node("client_limits.test.js", server, needs="chromium", GATEHOUSE_OTHER_KEY=server.keys["bob"])


def test_web_client_of_those_who_sign_in_at_an_issuer(tmp_path: Path, redis: str) -> None:
    with running_provider() as provider, served(tmp_path, redis, **issued_by(provider)) as server:
        provider.set_up(server.url)
        node("issuer.test.js", server, needs="chromium", GATEHOUSE_ISSUER=provider.url)


def issued_by(provider: OidcProvider) -> dict[str, str]:
    return {
        "GATEHOUSE_JWT_SECRET": "",
        "GATEHOUSE_ISSUER": provider.url,
        "GATEHOUSE_CLAIM_TENANT_ID": "https://gatehouse.test/tenant",
        "GATEHOUSE_OIDC_NAME": "Example & Co",
        "GATEHOUSE_OIDC_CLIENT_ID": "public",
        "GATEHOUSE_OIDC_GRANTS": "*",
    }


@pytest.mark.alone
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
