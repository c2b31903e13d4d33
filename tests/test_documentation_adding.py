"""What README.md says to do to add a chain and a tool is enough: its own lines, pasted, are served and pass."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from gatehouse_processes import GATEHOUSE, started
from live_server import LiveServer, prepare, running, server_environment
from new_project import new_project, own_tests

ROOT = Path(__file__).parents[1]
SECTION = (ROOT / "README.md").read_text().partition("\n## Serve your own chain\n")[2].partition("\n## ")[0]
BLOCKS = re.findall(r"^```python\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)
# the demonstration's tests that ask what is served; the others are of the package
OF_WHAT_IS_SERVED = (
    "tests/chains",
    "tests/tools",
    "tests/security/test_route_matrix.py",
    "tests/security/test_openapi.py",
    "tests/gatehouse/registry",
    "tests/gatehouse/http/test_docs.py",
    "tests/gatehouse/http/test_offered.py",
    "tests/gatehouse/http/test_runnables.py",
    "tests/gatehouse/cli/test_cli_routes.py",
    "tests/gatehouse/cli/test_cli_serve_announcing.py",
)


def copied(folder: Path) -> Path:
    """Return the folder, with the demonstration and all that tests it in it."""
    for name in ("app", "chains", "tools", "src", "tests", "bench"):
        shutil.copytree(
            ROOT / name, folder / name, ignore=shutil.ignore_patterns("node_modules", "__pycache__")
        )
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def paste(folder: Path) -> None:
    """Do to a folder what the section says."""
    chain, lines, tool = BLOCKS
    for block in (chain, tool):
        (folder / block.splitlines()[0].removeprefix("# ")).write_text(block)
    registry = folder / "chains" / "registry.py"
    with_tool = registry.read_text().replace("tools=(", "tools=(next_holiday, ", 1)
    registry.write_text(f"from tools.next_holiday import next_holiday\n{with_tool}\n{lines}")


@pytest.fixture(scope="module", params=["demonstration", "project"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh copy of the demonstration, or a new project, with the README's lines pasted into it."""
    made: Path = tmp_path_factory.mktemp("adding") / request.param
    paste(copied(made) if request.param == "demonstration" else new_project(made))
    return made


@pytest.fixture(scope="module")
def served(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """`gatehouse serve` in the folder; its data is elsewhere."""
    variables = server_environment(tmp_path_factory.mktemp("data"), PYTHONPATH=str(ROOT / "src"))
    del variables["GATEHOUSE_MIGRATIONS"]
    with running([GATEHOUSE, "serve"], folder, variables, prepare(variables), started) as server:
        yield server


def answer(server: LiveServer, runnable: str, query: str) -> str:
    asked = httpx.post(
        f"{server.url}/api/chat",
        json={"query": query, "runnable": runnable},
        headers={"x-api-key": server.keys["alice"]},
        timeout=30,
    )
    return str(asked.raise_for_status().json()["response"])


def test_the_section_has_a_chain_its_lines_and_a_tool() -> None:
    assert [block.splitlines()[0] for block in BLOCKS] == [
        "# chains/translate.py",
        "from chains import translate",
        "# tools/next_holiday.py",
    ]


def test_the_chain_answers(served: LiveServer) -> None:
    assert answer(served, "translate", "[say Bonjour.]") == "Bonjour."


def test_an_agent_calls_the_tool(served: LiveServer, folder: Path) -> None:
    agent = "agent" if folder.name == "demonstration" else "desk"
    asked = '[tool next_holiday {"country": "France"}]'
    assert answer(served, agent, asked) == "The results: 14 July, Alice Martin"


def test_the_projects_own_tests_pass(tmp_path: Path) -> None:
    made = new_project(tmp_path / "mine")
    paste(made)
    assert " passed" in own_tests(made)


@pytest.mark.e2e
@pytest.mark.timeout(900)
def test_the_demonstrations_own_tests_pass(tmp_path: Path) -> None:
    made = copied(tmp_path / "demonstration")
    paste(made)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", *OF_WHAT_IS_SERVED],
        cwd=made,
        env={**os.environ, "PYTHONPATH": f"{made / 'src'}{os.pathsep}{made}"},
        capture_output=True,
        text=True,
        timeout=850,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
