"""Schemathesis calls every documented operation with what it makes up, and knows which answers may come."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from guarded_server import Guarded

SCHEMATHESIS = str(Path(sys.executable).with_name("schemathesis"))
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance"
SECONDS = 40 if os.environ.get("REQUIRE_ALL") else 20  # CI has more patience than a person


@pytest.mark.parametrize("signed_in", [True, False], ids=["signed in", "not signed in"])
def test_no_request_gets_an_undocumented_answer(guarded: Guarded, tmp_path: Path, *, signed_in: bool) -> None:
    key = guarded.server.keys["alice"]
    with guarded.client(**{"x-api-key": key}) as client:
        document = tmp_path / "openapi.json"
        answer = client.get("/openapi.json")
        assert answer.status_code == 200, answer.text
        document.write_text(json.dumps(answer.json()))
    command = [
        SCHEMATHESIS, "run", str(document), "--url", guarded.server.url, "--checks", CHECKS, "--no-color",
        "--phases", "examples,coverage,fuzzing", "--max-time", str(SECONDS), "--request-timeout", "10",
        "--generation-deterministic", "--max-examples", "20",
        "--continue-on-failure", "--generation-with-security-parameters", "false",
    ]  # fmt: skip
    if signed_in:
        # it reads the ids of keys from answers, and would take back the one that it calls with, or erase its user
        command += [
            "--header",
            f"x-api-key: {key}",
            "--exclude-path-regex",
            "^/api/(keys/[^/]+/(revoke|rotate)|users/[^/]+)$",
        ]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=110, check=False)
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
    guarded.check_log()
