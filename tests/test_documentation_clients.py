"""The code in docs/clients.md does what it says, against a server."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from gatehouse_processes import completed
from live_server import LiveServer

BLOCKS = re.findall(
    r"^```(\w+)\n(.*?)^```",
    (Path(__file__).parent.parent / "docs" / "clients.md").read_text(),
    re.MULTILINE | re.DOTALL,
)
PROGRAMS = {"python": [sys.executable, "-c"], "sh": ["sh", "-ec"]}


def test_every_block_can_be_run() -> None:
    assert [language for language, _ in BLOCKS] == ["js", "sh", "sh", "python", "python", "sh"]


# tests/examples/test_event_source_page.py has the page's run by a browser
@pytest.mark.parametrize(("language", "code"), [block for block in BLOCKS if block[0] in PROGRAMS])
def test_a_block_prints_the_answer(language: str, code: str, server: LiveServer, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "GATEHOUSE_URL": server.url,
        "GATEHOUSE_API_KEY": server.keys["alice"],
    }
    command = [*PROGRAMS[language], code]
    if language == "python":
        done = completed(command, environment, tmp_path)
    else:
        done = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False
        )
    assert done.returncode == 0, done.stderr
    assert all(token in done.stdout for token in ("t1", "t2", "t3"))
