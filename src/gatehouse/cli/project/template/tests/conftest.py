"""The server that all tests ask: `gatehouse serve` on this project, with the scripted chat model.

That model does what the message tells it to: `[say some text]`, or `[tool opening_hours {"day": "monday"}]`.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

PROJECT = Path(__file__).parents[1]
GATEHOUSE = str(Path(sys.executable).with_name("gatehouse"))
# of a development server's banner: where it answers, and the keys of alice (acme) and bob (beta)
BANNER = re.compile(r"answers on (\S+)\n.*?alice of acme: +(\S+)\nbob of beta: +(\S+)\n", re.DOTALL)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, str]]:
    """Where the server answers, and the API keys of alice and bob. It runs in a folder of its own: no .env."""
    folder = tmp_path_factory.mktemp("server")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GATEHOUSE_")}
    environment = inherited | {
        "PYTHONPATH": os.pathsep.join([str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "GATEHOUSE_MODEL": "scripted",
    }
    subprocess.run([GATEHOUSE, "db", "upgrade", "--quiet"], cwd=folder, env=environment, check=True)
    command = [GATEHOUSE, "serve", "--port", "0"]
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as server:
        yield announced(server)
        server.terminate()


def announced(server: subprocess.Popen[str]) -> tuple[str, str, str]:
    """Return what the banner says. Why there is none, the server has said on stderr."""
    printed = ""
    for line in server.stdout or ():
        printed += line
        if found := BANNER.search(printed):
            url, alice, bob = found.groups()
            return url, alice, bob
    raise RuntimeError("the server did not start")


@pytest.fixture
def alice(served: tuple[str, str, str]) -> Iterator[httpx.Client]:
    url, key, _ = served
    with httpx.Client(base_url=url, headers={"x-api-key": key}, timeout=30) as client:
        yield client


@pytest.fixture
def bob(served: tuple[str, str, str]) -> Iterator[httpx.Client]:
    url, _, key = served
    with httpx.Client(base_url=url, headers={"x-api-key": key}, timeout=30) as client:
        yield client
