"""The code in docs/wires.md does what it says, against a server."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from live_server import LiveServer

BLOCKS = re.findall(
    r"^```(\w+)\n(.*?)^```",
    (Path(__file__).parent.parent / "docs" / "wires.md").read_text(),
    re.MULTILINE | re.DOTALL,
)
PROGRAMS = {"python": [sys.executable, "-c"], "sh": ["sh", "-ec"]}


@pytest.mark.parametrize(("language", "code"), [block for block in BLOCKS if block[0] in PROGRAMS])
def test_a_block_prints_the_answer(language: str, code: str, server: LiveServer, tmp_path: Path) -> None:
    environment = {**os.environ, "GATEHOUSE_URL": server.url, "GATEHOUSE_API_KEY": server.keys["alice"]}
    done = subprocess.run(
        [*PROGRAMS[language], code], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=100,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert all(token in done.stdout for token in ("t1", "t2", "t3"))
