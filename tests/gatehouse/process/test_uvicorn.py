"""The application under a plain uvicorn, as `uvicorn app.main:create_app --factory` runs it."""

import json
import sys
from pathlib import Path

import httpx
from live_server import SECRET, prepare, running, server_environment

COMMAND = f"exec {sys.executable} -m uvicorn app.main:create_app --factory --no-access-log --port $PORT"


def test_logs_as_gatehouse_serve_does(tmp_path: Path) -> None:
    """structlog's own way prints local variables with a traceback: credentials among them."""
    variables = server_environment(tmp_path)
    prepare(variables)
    with running(["bash", "-c", COMMAND], tmp_path, variables, keys={}) as server:
        forged = {"authorization": f"Bearer {SECRET}.{SECRET}.x"}
        assert httpx.get(f"{server.url}/api/me", headers=forged).status_code == httpx.codes.UNAUTHORIZED
    assert SECRET not in server.log
    lines = [json.loads(line) for line in server.log.splitlines() if line.startswith("{")]
    assert any(line["event"] == "request" and line["status"] == 401 for line in lines)
