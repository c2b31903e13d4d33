"""The code in docs/wires.md does what it says, against a server."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from gatehouse_processes import completed
from live_server import LiveServer

ROOT = Path(__file__).parent.parent
BLOCKS = re.findall(
    r"^```(\w+)\n(.*?)^```", (ROOT / "docs" / "wires.md").read_text(), re.MULTILINE | re.DOTALL
)
PROGRAMS = {"python": [sys.executable, "-c"], "sh": ["sh", "-ec"]}
# where `import` finds the packages of the examples; they are the tests of `make e2e`
PACKAGES = ROOT / "examples" / "javascript" / "node_modules"
IN_NODE = ["node", "--input-type=module", "-e"]


@pytest.mark.parametrize(("language", "code"), [block for block in BLOCKS if block[0] in PROGRAMS])
def test_a_block_prints_the_answer(language: str, code: str, server: LiveServer, tmp_path: Path) -> None:
    prints_the_answer([*PROGRAMS[language], code], server, tmp_path)


@pytest.mark.e2e
@pytest.mark.parametrize("code", [code for language, code in BLOCKS if language == "js"])
def test_a_block_for_node_prints_the_answer(code: str, server: LiveServer, tmp_path: Path) -> None:
    if not PACKAGES.exists():
        pytest.skip("the packages of the examples are not installed: make e2e")
    prints_the_answer([*IN_NODE, code], server, PACKAGES.parent)


def test_the_block_for_react_is_of_the_page_that_a_browser_tests() -> None:
    page = {line.strip() for line in (ROOT / "examples/use_chat/page.jsx").read_text().splitlines()}
    [block] = [code for language, code in BLOCKS if language == "jsx"]
    assert [line for line in block.splitlines() if line.strip() not in page] == []


def prints_the_answer(command: list[str], server: LiveServer, folder: Path) -> None:
    environment = {**os.environ, "GATEHOUSE_URL": server.url, "GATEHOUSE_API_KEY": server.keys["alice"]}
    if command[0] == sys.executable:
        done = completed(command, environment, folder)
    else:
        done = subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, text=True, timeout=100, check=False
        )
    assert done.returncode == 0, done.stderr
    assert all(token in done.stdout for token in ("t1", "t2", "t3"))
