"""The JavaScript clients and the pages, against a real server with the scripted model."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_server import LiveServer, running_server

HERE = Path(__file__).parent
ARTEFACTS = HERE.parent.parent / "test-artifacts"

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with running_server(tmp_path_factory.mktemp("e2e")) as server:
        yield server


def node(script: str, server: LiveServer, needs: str) -> None:
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
    }
    done = subprocess.run(
        ["node", "--test", "--test-reporter=spec", script],
        cwd=HERE,
        env=environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


def test_remote_runnable_of_javascript(server: LiveServer) -> None:
    node("remote_runnable.test.js", server, needs="node")


def test_pages_in_chromium(server: LiveServer) -> None:
    node("pages.test.js", server, needs="chromium")
